# The pattern of zoomex_inner_create.py for query-record, in the form that the venue's demos had before July 2024:
# every parameter, the signature among them, in the query, and no header.
# ruff: noqa: ANN001, ANN201, I001, N803, N816, Q000, T201
# fmt: off
import time
import hmac
import hashlib
import requests
from urllib.parse import urlencode

def query_request(apiKey, secret, params):
    url = 'https://openapi-testnet.zoomex.com/private/v1/asset/withdraw/query-record'
    params['api_key'] = apiKey
    params['timestamp'] = int(time.time() * 1000)
    params['recv_window'] = 1000000

    ordered_params = '&'.join([f"{key}={params[key]}" for key in sorted(params.keys())])

    signature = hmac.new(secret.encode('utf-8'), ordered_params.encode('utf-8'), hashlib.sha256).hexdigest()

    params['sign'] = signature

    response = requests.get(url + '?' + urlencode(params))

    print("response status:", response.status_code)
    print("response info:", response.json())

apiKey = 'your key'
secret = 'your secret'

query_request(apiKey, secret, {"coin": "USDT", "withdrawType": 2, "pageSize": 50})
