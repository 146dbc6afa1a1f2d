-- How often somebody asks, for rate limits that hold in several processes. Not logged: after a crash counting begins anew.

CREATE UNLOGGED TABLE request_counts (
    bucket TEXT NOT NULL,
    who TEXT NOT NULL,
    ends_ms BIGINT NOT NULL,
    used BIGINT NOT NULL,
    PRIMARY KEY (bucket, who)
);
