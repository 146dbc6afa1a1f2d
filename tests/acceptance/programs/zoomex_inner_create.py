# Zoomex docs, "Withdraw internal", Request Example, as the venue publishes it, its lines and quotes included.
# Whoever uses it fills in key, secret and address. The test changes the host beside that, and nothing else.
# ruff: noqa: ANN001, ANN201, I001, N803, N816, Q000, T201
# fmt: off
import time
import hmac
import hashlib
import uuid
import requests
import json

def create_request(apiKey, secret, body):
    url = 'https://openapi-testnet.zoomex.com/private/v1/asset/withdraw/inner-create'
    timestamp = int(time.time() * 1000)
    recv_window = 1000000

    body['api_key'] = apiKey
    body['timestamp'] = timestamp
    body['recv_window'] = recv_window

    ordered_params = '&'.join([f"{key}={body[key]}" for key in sorted(body.keys())])

    signature = hmac.new(secret.encode('utf-8'), ordered_params.encode('utf-8'), hashlib.sha256).hexdigest()

    body['sign'] = signature

    headers = {
        'X-BAPI-API-KEY': apiKey,
        'X-BAPI-SIGN': signature,
        'X-BAPI-TIMESTAMP': str(timestamp),
        'X-BAPI-RECV-WINDOW': str(recv_window),
        'Content-Type': 'application/json'
    }

    response = requests.post(url, headers=headers, data=json.dumps(body))

    print("response status:", response.status_code)
    print("response info:", response.json())
    print("response time:", response.elapsed.total_seconds())

apiKey = 'your key'
secret = 'your secret'
transferId = uuid.uuid4().hex
body = {
    "requestId":transferId,
    "coin":"USDT",
    "addressType":3,
    "address": "your address",
    "amount":"1",
    "remark":"your remark",
}

create_request(apiKey, secret, body)
