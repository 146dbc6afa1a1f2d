-- The first schema. Amounts are canonical decimal text: 18-decimal assets overflow 64-bit integers.
-- Journal, history, requests, deposits and audit are append-only; triggers refuse anything else.

CREATE TABLE accounts (
    account_id INTEGER PRIMARY KEY,
    account_number TEXT NOT NULL UNIQUE,
    email TEXT UNIQUE,
    phone TEXT UNIQUE,
    master_account_id INTEGER REFERENCES accounts (account_id),
    may_withdraw INTEGER NOT NULL CHECK (may_withdraw IN (0, 1)),
    frozen INTEGER NOT NULL CHECK (frozen IN (0, 1)),
    created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE api_keys (
    key_id TEXT PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (account_id),
    venue TEXT NOT NULL,
    secret TEXT NOT NULL,
    passphrase TEXT NOT NULL,
    permissions TEXT NOT NULL,
    allowed_ips TEXT NOT NULL,
    expires_ms INTEGER,
    frozen INTEGER NOT NULL CHECK (frozen IN (0, 1)),
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE book (
    entry_id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (account_id),
    kind TEXT NOT NULL CHECK (kind IN ('standard', 'universal', 'evm', 'recipient')),
    asset TEXT NOT NULL,
    network TEXT NOT NULL,
    address TEXT NOT NULL,
    memo TEXT NOT NULL,
    remark TEXT NOT NULL,
    verified INTEGER NOT NULL CHECK (verified IN (0, 1)),
    usable_from_ms INTEGER NOT NULL,
    removed_ms INTEGER,
    created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX book_by_address ON book (account_id, address);

CREATE TABLE balances (
    account_id INTEGER NOT NULL,
    asset TEXT NOT NULL,
    wallet TEXT NOT NULL,
    available TEXT NOT NULL CHECK (available GLOB '[0-9]*'),
    held TEXT NOT NULL CHECK (held GLOB '[0-9]*'),
    PRIMARY KEY (account_id, asset, wallet)
) STRICT, WITHOUT ROWID;

CREATE TABLE quotas (
    account_id INTEGER NOT NULL,
    day INTEGER NOT NULL,
    used_sat INTEGER NOT NULL CHECK (used_sat >= 0),
    -- The day leads: today's quotas then share few pages, however many days are behind them.
    PRIMARY KEY (day, account_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE postings (
    posting_id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    withdrawal_id INTEGER,
    reference TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE entries (
    posting_id INTEGER NOT NULL,
    line INTEGER NOT NULL,
    ledger_account TEXT NOT NULL,
    asset TEXT NOT NULL,
    units TEXT NOT NULL,
    PRIMARY KEY (posting_id, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE withdrawals (
    withdrawal_id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL,
    venue TEXT NOT NULL,
    asset TEXT NOT NULL,
    network TEXT NOT NULL,
    wallet TEXT NOT NULL,
    amount TEXT NOT NULL CHECK (amount GLOB '[0-9]*'),
    fee TEXT NOT NULL CHECK (fee GLOB '[0-9]*'),
    net TEXT NOT NULL CHECK (net GLOB '[0-9]*'),
    address TEXT NOT NULL,
    memo TEXT NOT NULL,
    recipient TEXT NOT NULL,
    recipient_id INTEGER,
    book_entry_id INTEGER,
    remark TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    steps INTEGER NOT NULL,
    attempt_id INTEGER,
    tx_hash TEXT NOT NULL,
    confirmations INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    debit_asset TEXT NOT NULL,
    rate TEXT NOT NULL,
    number INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    extra TEXT NOT NULL,
    notify INTEGER NOT NULL CHECK (notify IN (0, 1))
) STRICT;
CREATE INDEX withdrawals_by_account ON withdrawals (account_id, withdrawal_id);
CREATE INDEX withdrawals_to_plan ON withdrawals (network, withdrawal_id) WHERE state IN ('held', 'approved');
CREATE INDEX withdrawals_awaiting ON withdrawals (withdrawal_id) WHERE state = 'awaiting_approval';
CREATE INDEX withdrawals_by_number ON withdrawals (account_id, number) WHERE number > 0;
CREATE INDEX withdrawals_by_tx ON withdrawals (tx_hash) WHERE tx_hash <> '';

CREATE TABLE challenges (
    account_id INTEGER NOT NULL,
    venue TEXT NOT NULL,
    nonce TEXT NOT NULL,
    withdrawal_id INTEGER NOT NULL UNIQUE,
    expires_ms INTEGER NOT NULL,
    failures INTEGER NOT NULL CHECK (failures >= 0),
    answer TEXT NOT NULL,
    closed INTEGER NOT NULL CHECK (closed IN (0, 1)),
    -- As with requests: a nonce that begins with its time lands beside others of that moment.
    PRIMARY KEY (nonce, account_id, venue)
) STRICT, WITHOUT ROWID;
CREATE INDEX challenges_open ON challenges (expires_ms, withdrawal_id) WHERE closed = 0;

CREATE TABLE counters (
    account_id INTEGER PRIMARY KEY,
    used INTEGER NOT NULL CHECK (used >= 0)
) STRICT;

CREATE TABLE requests (
    account_id INTEGER NOT NULL,
    venue TEXT NOT NULL,
    request_id TEXT NOT NULL,
    business TEXT NOT NULL,
    withdrawal_id INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    -- The request id leads: a signature's begins with its timestamp, so new rows land side by side on few pages.
    PRIMARY KEY (request_id, account_id, venue)
) STRICT, WITHOUT ROWID;

CREATE TABLE history (
    withdrawal_id INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    state_before TEXT NOT NULL,
    state_after TEXT NOT NULL,
    detail TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (withdrawal_id, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    withdrawal_id INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    account_id INTEGER NOT NULL,
    state TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    due_ms INTEGER,
    tries INTEGER NOT NULL CHECK (tries >= 0),
    delivered_ms INTEGER,
    PRIMARY KEY (withdrawal_id, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_due ON outbox (due_ms, withdrawal_id, sequence) WHERE due_ms IS NOT NULL;

CREATE TABLE callbacks (
    account_id INTEGER NOT NULL,
    venue TEXT NOT NULL,
    url TEXT NOT NULL,
    key_id TEXT NOT NULL,
    PRIMARY KEY (account_id, venue)
) STRICT, WITHOUT ROWID;

CREATE TABLE deposits (
    reference TEXT PRIMARY KEY,
    deposit_id INTEGER NOT NULL UNIQUE,
    account_id INTEGER NOT NULL,
    asset TEXT NOT NULL,
    network TEXT NOT NULL,
    wallet TEXT NOT NULL,
    amount TEXT NOT NULL CHECK (amount GLOB '[0-9]*'),
    address TEXT NOT NULL,
    tx_id TEXT NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX deposits_by_account ON deposits (account_id, deposit_id);

CREATE TABLE deposit_addresses (
    account_id INTEGER NOT NULL,
    network TEXT NOT NULL,
    address TEXT NOT NULL,
    memo TEXT NOT NULL,
    PRIMARY KEY (account_id, network)
) STRICT, WITHOUT ROWID;

CREATE TABLE lanes (
    network TEXT NOT NULL,
    sender TEXT NOT NULL,
    next_nonce INTEGER NOT NULL,
    owner TEXT NOT NULL,
    lease_until_ms INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    quarantine TEXT NOT NULL,
    PRIMARY KEY (network, sender)
) STRICT, WITHOUT ROWID;

CREATE TABLE nonces (
    network TEXT NOT NULL,
    sender TEXT NOT NULL,
    nonce INTEGER NOT NULL,
    withdrawal_id INTEGER,
    free INTEGER NOT NULL CHECK (free IN (0, 1)),
    final INTEGER NOT NULL CHECK (final IN (0, 1)),
    fee_held TEXT NOT NULL CHECK (fee_held GLOB '[0-9]*'),
    PRIMARY KEY (network, sender, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX nonces_open ON nonces (network, sender, nonce) WHERE final = 0;

CREATE TABLE attempts (
    attempt_id INTEGER PRIMARY KEY,
    withdrawal_id INTEGER,
    network TEXT NOT NULL,
    sender TEXT NOT NULL,
    nonce INTEGER NOT NULL,
    intent TEXT NOT NULL,
    replaces INTEGER,
    state TEXT NOT NULL,
    raw BLOB,
    tx_hash TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    signed_ms INTEGER,
    sent_ms INTEGER
) STRICT;
CREATE INDEX attempts_by_nonce ON attempts (network, sender, nonce);
CREATE INDEX attempts_by_withdrawal ON attempts (withdrawal_id);
CREATE INDEX attempts_open ON attempts (network, sender, nonce, attempt_id)
WHERE state IN ('planned', 'signed', 'sent');

CREATE TABLE controls (
    name TEXT PRIMARY KEY,
    stopped INTEGER NOT NULL CHECK (stopped IN (0, 1)),
    reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    audit_id INTEGER PRIMARY KEY,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;

CREATE TRIGGER postings_stay BEFORE UPDATE ON postings BEGIN SELECT raise(ABORT, 'postings are append-only'); END;
CREATE TRIGGER postings_keep BEFORE DELETE ON postings BEGIN SELECT raise(ABORT, 'postings are append-only'); END;
CREATE TRIGGER entries_stay BEFORE UPDATE ON entries BEGIN SELECT raise(ABORT, 'entries are append-only'); END;
CREATE TRIGGER entries_keep BEFORE DELETE ON entries BEGIN SELECT raise(ABORT, 'entries are append-only'); END;
CREATE TRIGGER history_stays BEFORE UPDATE ON history BEGIN SELECT raise(ABORT, 'history is append-only'); END;
CREATE TRIGGER history_keeps BEFORE DELETE ON history BEGIN SELECT raise(ABORT, 'history is append-only'); END;
CREATE TRIGGER requests_stay BEFORE UPDATE ON requests BEGIN SELECT raise(ABORT, 'requests are append-only'); END;
CREATE TRIGGER requests_keep BEFORE DELETE ON requests BEGIN SELECT raise(ABORT, 'requests are append-only'); END;
CREATE TRIGGER deposits_stay BEFORE UPDATE ON deposits BEGIN SELECT raise(ABORT, 'deposits are append-only'); END;
CREATE TRIGGER deposits_keep BEFORE DELETE ON deposits BEGIN SELECT raise(ABORT, 'deposits are append-only'); END;
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_keeps BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER withdrawals_keep BEFORE DELETE ON withdrawals BEGIN SELECT raise(ABORT, 'withdrawals are kept'); END;
CREATE TRIGGER attempts_keep BEFORE DELETE ON attempts BEGIN SELECT raise(ABORT, 'attempts are kept for ever'); END;
CREATE TRIGGER withdrawals_final BEFORE UPDATE ON withdrawals
WHEN old.state IN ('confirmed', 'rejected', 'cancelled', 'expired', 'failed') AND new.state IS NOT old.state
BEGIN SELECT raise(ABORT, 'a final state never changes'); END;
CREATE TRIGGER attempts_stay BEFORE UPDATE ON attempts
WHEN new.withdrawal_id IS NOT old.withdrawal_id OR new.network IS NOT old.network OR new.sender IS NOT old.sender
    OR new.nonce IS NOT old.nonce OR new.intent IS NOT old.intent OR new.replaces IS NOT old.replaces
    OR (old.raw IS NOT NULL AND (new.raw IS NOT old.raw OR new.tx_hash IS NOT old.tx_hash))
BEGIN SELECT raise(ABORT, 'an attempt keeps its intent, and its bytes once signed'); END;
