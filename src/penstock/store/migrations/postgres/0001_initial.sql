-- The first schema, the same tables as on SQLite. Amounts are NUMERIC(78, 0): 18-decimal assets overflow 64-bit integers.
-- Text is COLLATE "C": compared by bytes, as on SQLite, so that no index depends on the operating system's locales.
-- Journal, history, requests, deposits and audit are append-only; triggers refuse anything else.
-- An index that ends with its table's primary key is on a part of the rows, even where that is all of them: while the
-- planner believes the table empty, it could not tell it from the primary key's own.
-- Rows that are updated again and again leave room on their pages (fillfactor), so that a new version needs no index.

CREATE TABLE accounts (
    account_id bigint PRIMARY KEY,
    account_number text COLLATE "C" NOT NULL UNIQUE,
    email text COLLATE "C" UNIQUE,
    phone text COLLATE "C" UNIQUE,
    master_account_id bigint REFERENCES accounts (account_id),
    may_withdraw boolean NOT NULL,
    frozen boolean NOT NULL,
    created_ms bigint NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE api_keys (
    key_id text COLLATE "C" PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES accounts (account_id),
    venue text COLLATE "C" NOT NULL,
    secret text COLLATE "C" NOT NULL,
    passphrase text COLLATE "C" NOT NULL,
    permissions text COLLATE "C" NOT NULL,
    allowed_ips text COLLATE "C" NOT NULL,
    expires_ms bigint,
    frozen boolean NOT NULL,
    created_ms bigint NOT NULL
);

CREATE TABLE book (
    entry_id bigint PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES accounts (account_id),
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('standard', 'universal', 'evm', 'recipient')),
    asset text COLLATE "C" NOT NULL,
    network text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    memo text COLLATE "C" NOT NULL,
    remark text COLLATE "C" NOT NULL,
    verified boolean NOT NULL,
    usable_from_ms bigint NOT NULL,
    removed_ms bigint,
    created_ms bigint NOT NULL
);
CREATE INDEX book_by_address ON book (account_id, address);

CREATE TABLE balances (
    account_id bigint NOT NULL,
    asset text COLLATE "C" NOT NULL,
    wallet text COLLATE "C" NOT NULL,
    available numeric(78, 0) NOT NULL CHECK (available >= 0),
    held numeric(78, 0) NOT NULL CHECK (held >= 0),
    PRIMARY KEY (account_id, asset, wallet)
) WITH (fillfactor = 50);

CREATE TABLE quotas (
    account_id bigint NOT NULL,
    day bigint NOT NULL,
    used_sat bigint NOT NULL CHECK (used_sat >= 0),
    PRIMARY KEY (account_id, day)
) WITH (fillfactor = 50);

CREATE TABLE postings (
    posting_id bigint PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    withdrawal_id bigint,
    reference text COLLATE "C" NOT NULL,
    at_ms bigint NOT NULL
);

CREATE TABLE entries (
    posting_id bigint NOT NULL,
    line bigint NOT NULL,
    ledger_account text COLLATE "C" NOT NULL,
    asset text COLLATE "C" NOT NULL,
    units numeric(78, 0) NOT NULL,
    PRIMARY KEY (posting_id, line)
);

CREATE TABLE withdrawals (
    withdrawal_id bigint PRIMARY KEY,
    account_id bigint NOT NULL,
    venue text COLLATE "C" NOT NULL,
    asset text COLLATE "C" NOT NULL,
    network text COLLATE "C" NOT NULL,
    wallet text COLLATE "C" NOT NULL,
    amount numeric(78, 0) NOT NULL CHECK (amount >= 0),
    fee numeric(78, 0) NOT NULL CHECK (fee >= 0),
    net numeric(78, 0) NOT NULL CHECK (net >= 0),
    address text COLLATE "C" NOT NULL,
    memo text COLLATE "C" NOT NULL,
    recipient text COLLATE "C" NOT NULL,
    recipient_id bigint,
    book_entry_id bigint,
    remark text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    steps bigint NOT NULL,
    attempt_id bigint,
    tx_hash text COLLATE "C" NOT NULL,
    confirmations bigint NOT NULL,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL,
    debit_asset text COLLATE "C" NOT NULL,
    rate text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    extra text COLLATE "C" NOT NULL,
    notify boolean NOT NULL
);
CREATE INDEX withdrawals_by_account ON withdrawals (account_id, withdrawal_id) WHERE account_id <> 0;
CREATE INDEX withdrawals_to_plan ON withdrawals (network, withdrawal_id) WHERE state IN ('held', 'approved');
CREATE INDEX withdrawals_awaiting ON withdrawals (withdrawal_id) WHERE state = 'awaiting_approval';
CREATE INDEX withdrawals_by_number ON withdrawals (account_id, number) WHERE number > 0;
CREATE INDEX withdrawals_by_tx ON withdrawals (tx_hash) WHERE tx_hash <> '';

CREATE TABLE challenges (
    account_id bigint NOT NULL,
    venue text COLLATE "C" NOT NULL,
    nonce text COLLATE "C" NOT NULL,
    withdrawal_id bigint NOT NULL UNIQUE,
    expires_ms bigint NOT NULL,
    failures bigint NOT NULL CHECK (failures >= 0),
    answer text COLLATE "C" NOT NULL,
    closed boolean NOT NULL,
    PRIMARY KEY (account_id, venue, nonce)
);
CREATE INDEX challenges_open ON challenges (expires_ms, withdrawal_id) WHERE closed = false;

CREATE TABLE counters (
    account_id bigint PRIMARY KEY,
    used bigint NOT NULL CHECK (used >= 0)
) WITH (fillfactor = 50);

CREATE TABLE requests (
    account_id bigint NOT NULL,
    venue text COLLATE "C" NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    business text COLLATE "C" NOT NULL,
    withdrawal_id bigint NOT NULL,
    at_ms bigint NOT NULL,
    -- The account leads, so that one account's rows can live on one node; the id comes next, since the venue is not
    -- always known where a request is looked for.
    PRIMARY KEY (account_id, request_id, venue)
);

CREATE TABLE history (
    withdrawal_id bigint NOT NULL,
    sequence bigint NOT NULL,
    state_before text COLLATE "C" NOT NULL,
    state_after text COLLATE "C" NOT NULL,
    detail text COLLATE "C" NOT NULL,
    at_ms bigint NOT NULL,
    PRIMARY KEY (withdrawal_id, sequence)
);

CREATE TABLE outbox (
    withdrawal_id bigint NOT NULL,
    sequence bigint NOT NULL,
    account_id bigint NOT NULL,
    state text COLLATE "C" NOT NULL,
    at_ms bigint NOT NULL,
    due_ms bigint,
    tries bigint NOT NULL CHECK (tries >= 0),
    delivered_ms bigint,
    PRIMARY KEY (withdrawal_id, sequence)
);
CREATE INDEX outbox_due ON outbox (due_ms, withdrawal_id, sequence) WHERE due_ms IS NOT NULL;

CREATE TABLE callbacks (
    account_id bigint NOT NULL,
    venue text COLLATE "C" NOT NULL,
    url text COLLATE "C" NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (account_id, venue)
);

CREATE TABLE deposits (
    reference text COLLATE "C" PRIMARY KEY,
    deposit_id bigint NOT NULL UNIQUE,
    account_id bigint NOT NULL,
    asset text COLLATE "C" NOT NULL,
    network text COLLATE "C" NOT NULL,
    wallet text COLLATE "C" NOT NULL,
    amount numeric(78, 0) NOT NULL CHECK (amount >= 0),
    address text COLLATE "C" NOT NULL,
    tx_id text COLLATE "C" NOT NULL,
    created_ms bigint NOT NULL
);
CREATE INDEX deposits_by_account ON deposits (account_id, deposit_id);

CREATE TABLE deposit_addresses (
    account_id bigint NOT NULL,
    network text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    memo text COLLATE "C" NOT NULL,
    PRIMARY KEY (account_id, network)
);

CREATE TABLE lanes (
    network text COLLATE "C" NOT NULL,
    sender text COLLATE "C" NOT NULL,
    next_nonce bigint NOT NULL,
    owner text COLLATE "C" NOT NULL,
    lease_until_ms bigint NOT NULL,
    epoch bigint NOT NULL,
    quarantine text COLLATE "C" NOT NULL,
    PRIMARY KEY (network, sender)
) WITH (fillfactor = 50);

CREATE TABLE nonces (
    network text COLLATE "C" NOT NULL,
    sender text COLLATE "C" NOT NULL,
    nonce bigint NOT NULL,
    withdrawal_id bigint,
    free boolean NOT NULL,
    final boolean NOT NULL,
    fee_held numeric(78, 0) NOT NULL CHECK (fee_held >= 0),
    PRIMARY KEY (network, sender, nonce)
);
CREATE INDEX nonces_open ON nonces (network, sender, nonce) WHERE NOT final;

CREATE TABLE attempts (
    attempt_id bigint PRIMARY KEY,
    withdrawal_id bigint,
    network text COLLATE "C" NOT NULL,
    sender text COLLATE "C" NOT NULL,
    nonce bigint NOT NULL,
    intent text COLLATE "C" NOT NULL,
    replaces bigint,
    state text COLLATE "C" NOT NULL,
    raw bytea,
    tx_hash text COLLATE "C" NOT NULL,
    created_ms bigint NOT NULL,
    signed_ms bigint,
    sent_ms bigint
);
CREATE INDEX attempts_by_nonce ON attempts (network, sender, nonce);
CREATE INDEX attempts_by_withdrawal ON attempts (withdrawal_id, attempt_id) WHERE withdrawal_id <> 0;
CREATE INDEX attempts_open ON attempts (network, sender, nonce, attempt_id)
WHERE state IN ('planned', 'signed', 'sent');

CREATE TABLE controls (
    name text COLLATE "C" PRIMARY KEY,
    stopped boolean NOT NULL,
    reason text COLLATE "C" NOT NULL,
    at_ms bigint NOT NULL
);

CREATE TABLE audit (
    audit_id bigint PRIMARY KEY,
    actor text COLLATE "C" NOT NULL,
    act text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    detail text COLLATE "C" NOT NULL,
    at_ms bigint NOT NULL
);

-- Says no with the text it was made with.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING MESSAGE = TG_ARGV[0], ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER postings_stay BEFORE UPDATE OR DELETE ON postings
FOR EACH ROW EXECUTE FUNCTION refuse_change('postings are append-only');
CREATE TRIGGER entries_stay BEFORE UPDATE OR DELETE ON entries
FOR EACH ROW EXECUTE FUNCTION refuse_change('entries are append-only');
CREATE TRIGGER history_stays BEFORE UPDATE OR DELETE ON history
FOR EACH ROW EXECUTE FUNCTION refuse_change('history is append-only');
CREATE TRIGGER requests_stay BEFORE UPDATE OR DELETE ON requests
FOR EACH ROW EXECUTE FUNCTION refuse_change('requests are append-only');
CREATE TRIGGER deposits_stay BEFORE UPDATE OR DELETE ON deposits
FOR EACH ROW EXECUTE FUNCTION refuse_change('deposits are append-only');
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION refuse_change('the audit log is append-only');
CREATE TRIGGER withdrawals_keep BEFORE DELETE ON withdrawals
FOR EACH ROW EXECUTE FUNCTION refuse_change('withdrawals are kept');
CREATE TRIGGER attempts_keep BEFORE DELETE ON attempts
FOR EACH ROW EXECUTE FUNCTION refuse_change('attempts are kept for ever');

-- TRUNCATE passes row triggers by.
CREATE TRIGGER postings_last BEFORE TRUNCATE ON postings EXECUTE FUNCTION refuse_change('postings are append-only');
CREATE TRIGGER entries_last BEFORE TRUNCATE ON entries EXECUTE FUNCTION refuse_change('entries are append-only');
CREATE TRIGGER history_lasts BEFORE TRUNCATE ON history EXECUTE FUNCTION refuse_change('history is append-only');
CREATE TRIGGER requests_last BEFORE TRUNCATE ON requests EXECUTE FUNCTION refuse_change('requests are append-only');
CREATE TRIGGER deposits_last BEFORE TRUNCATE ON deposits EXECUTE FUNCTION refuse_change('deposits are append-only');
CREATE TRIGGER audit_lasts BEFORE TRUNCATE ON audit EXECUTE FUNCTION refuse_change('the audit log is append-only');
CREATE TRIGGER withdrawals_last BEFORE TRUNCATE ON withdrawals EXECUTE FUNCTION refuse_change('withdrawals are kept');
CREATE TRIGGER attempts_last BEFORE TRUNCATE ON attempts EXECUTE FUNCTION refuse_change('attempts are kept for ever');

CREATE TRIGGER withdrawals_final BEFORE UPDATE ON withdrawals FOR EACH ROW
WHEN (old.state IN ('confirmed', 'rejected', 'cancelled', 'expired', 'failed') AND new.state <> old.state)
EXECUTE FUNCTION refuse_change('a final state never changes');
CREATE TRIGGER attempts_stay BEFORE UPDATE ON attempts FOR EACH ROW
WHEN (
    new.withdrawal_id IS DISTINCT FROM old.withdrawal_id OR new.network <> old.network OR new.sender <> old.sender
    OR new.nonce <> old.nonce OR new.intent <> old.intent OR new.replaces IS DISTINCT FROM old.replaces
    OR (old.raw IS NOT NULL AND (new.raw IS DISTINCT FROM old.raw OR new.tx_hash <> old.tx_hash))
)
EXECUTE FUNCTION refuse_change('an attempt keeps its intent, and its bytes once signed');

-- How often somebody asks, for rate limits that hold in several processes. Not logged: after a crash of the server
-- counting begins anew.
CREATE UNLOGGED TABLE request_counts (
    bucket text COLLATE "C" NOT NULL,
    who text COLLATE "C" NOT NULL,
    ends_ms bigint NOT NULL,
    used bigint NOT NULL,
    -- As the last request had them: an upsert sees what it was to insert by the name of a column only.
    allowed bigint NOT NULL DEFAULT 0,
    ban_ms bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (bucket, who)
) WITH (fillfactor = 50);

-- The processes that count requests, each while its time is not over, and which one of them does so in its own memory.
CREATE UNLOGGED TABLE request_counters (
    counter text COLLATE "C" PRIMARY KEY,
    until_ms bigint NOT NULL,
    alone boolean NOT NULL
) WITH (fillfactor = 50);
