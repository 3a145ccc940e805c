-- A ledger of schema version 1, with a column and a table that this version does not know.
-- It must open for ever: a change of the schema comes as a migration, and this file stays as it is.
PRAGMA application_id = 1903521652;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE account (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE);
INSERT INTO "account" VALUES(1,X'2F686F6D652F616E612F2E636C61756465');
CREATE TABLE call (
        id INTEGER PRIMARY KEY,
        key INTEGER NOT NULL,
        contested INTEGER NOT NULL,
        message TEXT NOT NULL,
        request TEXT NOT NULL,
        at INTEGER NOT NULL,
        session INTEGER NOT NULL,
        model INTEGER NOT NULL,
        cwd INTEGER NOT NULL,
        sidechain INTEGER NOT NULL,
        input INTEGER NOT NULL,
        output INTEGER NOT NULL,
        cache_write INTEGER NOT NULL,
        cache_read INTEGER NOT NULL
    , colour TEXT);
INSERT INTO "call" VALUES(1,-1814289511337681333,0,'msg_01A','req_01A',1793610000000,1,2,1,0,4,310,5200,18000,NULL);
INSERT INTO "call" VALUES(2,-1814277283752841863,0,'msg_01C','',1793613600000,2,1,1,0,12,40,0,0,NULL);
INSERT INTO "call" VALUES(3,-374584749529650936,1,'msg_01B','req_01B',1793610060000,1,2,1,0,2,742,800,23200,NULL);
CREATE TABLE contender (
        key INTEGER NOT NULL,
        request TEXT NOT NULL,
        at INTEGER NOT NULL,
        session INTEGER NOT NULL,
        model INTEGER NOT NULL,
        cwd INTEGER NOT NULL,
        sidechain INTEGER NOT NULL,
        input INTEGER NOT NULL,
        output INTEGER NOT NULL,
        cache_write INTEGER NOT NULL,
        cache_read INTEGER NOT NULL,
        PRIMARY KEY (key, request)
    ) WITHOUT ROWID;
INSERT INTO "contender" VALUES(-374584749529650936,'req_01B',1793610060000,1,2,1,0,2,742,800,23200);
INSERT INTO "contender" VALUES(-374584749529650936,'req_01S',1793610090000,2,2,1,1,2,742,800,23200);
CREATE TABLE cursor (
        account INTEGER NOT NULL,
        path BLOB NOT NULL,
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        head BLOB NOT NULL,
        head_size INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        tail BLOB NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        skipping INTEGER NOT NULL,
        lines INTEGER NOT NULL,
        malformed INTEGER NOT NULL,
        PRIMARY KEY (account, path)
    ) WITHOUT ROWID;
INSERT INTO "cursor" VALUES(1,X'2F686F6D652F616E612F2E636C617564652F70726F6A656374732F702F356630632E6A736F6E6C',2049,131072,X'0001020304050607',1024,4096,X'7461696C',4096,1793610000000000000,0,12,1);
CREATE TABLE later (id INTEGER PRIMARY KEY, what TEXT);
INSERT INTO "later" VALUES(1,'kept');
CREATE TABLE log_event (
        id INTEGER PRIMARY KEY,
        key INTEGER NOT NULL,
        account INTEGER NOT NULL,
        at INTEGER NOT NULL,
        session INTEGER NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        tool INTEGER NOT NULL,
        cwd INTEGER NOT NULL,
        agent TEXT NOT NULL,
        tokens_used INTEGER,
        counts INTEGER NOT NULL
    );
INSERT INTO "log_event" VALUES(1,421376336954139221,1,1793610000005,3,'tool_result','tool_result:toolu_1',2,2,'',NULL,1);
INSERT INTO "log_event" VALUES(2,-1484355646379440849,1,1793610000009,3,'session_end','9e9e|session_end',1,2,'reviewer',4200,0);
CREATE TABLE mark (
        account INTEGER NOT NULL,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        value REAL NOT NULL,
        opened INTEGER NOT NULL,
        resets INTEGER NOT NULL,
        PRIMARY KEY (account, kind, subject, value, opened, resets)
    ) WITHOUT ROWID;
INSERT INTO "mark" VALUES(1,'threshold','five_hour',50.0,1793610000000,1793628000000);
CREATE TABLE model (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO "model" VALUES(1,'claude-haiku-4-5');
INSERT INTO "model" VALUES(2,'claude-opus-5');
CREATE TABLE place (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO "place" VALUES(1,'/home/ana/src');
INSERT INTO "place" VALUES(2,'/home/ana/notes');
CREATE TABLE reading (
        account INTEGER NOT NULL,
        window TEXT NOT NULL,
        resets_at INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        percent REAL NOT NULL,
        source TEXT NOT NULL,
        PRIMARY KEY (account, window, resets_at, received_at, percent, source)
    ) WITHOUT ROWID;
INSERT INTO "reading" VALUES(1,'five_hour',1793628000000,1793610120000,42.0,'status_line');
CREATE TABLE rollup (
        account INTEGER NOT NULL,
        model INTEGER NOT NULL,
        bucket INTEGER NOT NULL,
        session INTEGER NOT NULL,
        input INTEGER NOT NULL,
        output INTEGER NOT NULL,
        cache_write INTEGER NOT NULL,
        cache_read INTEGER NOT NULL,
        messages INTEGER NOT NULL,
        PRIMARY KEY (account, model, bucket, session)
    ) WITHOUT ROWID;
INSERT INTO "rollup" VALUES(1,1,1992904,2,12,40,0,0,1);
INSERT INTO "rollup" VALUES(1,2,1992900,1,6,1052,6000,41200,2);
CREATE TABLE session (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        account INTEGER NOT NULL,
        measured INTEGER NOT NULL DEFAULT 0,
        UNIQUE (name, account)
    );
INSERT INTO "session" VALUES(1,'5f0c',1,1);
INSERT INTO "session" VALUES(2,'77aa',1,1);
INSERT INTO "session" VALUES(3,'9e9e',1,0);
CREATE TABLE tool (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO "tool" VALUES(1,'');
INSERT INTO "tool" VALUES(2,'Edit');
CREATE UNIQUE INDEX call_by_key ON call (key);
CREATE INDEX call_by_session ON call (session, at);
CREATE VIEW timed_call AS
        SELECT rollup.account, rollup.bucket, call.*,
               rollup.input + rollup.output + rollup.cache_write + rollup.cache_read AS bucket_total
          FROM rollup CROSS JOIN call
            ON call.session = rollup.session AND call.model = rollup.model
               AND call.at >= rollup.bucket * 900000 AND call.at < (rollup.bucket + 1) * 900000;
CREATE UNIQUE INDEX log_event_by_key ON log_event (key);
CREATE INDEX log_event_by_time ON log_event (account, at);
CREATE INDEX log_event_by_session ON log_event (session, at);
CREATE INDEX estimate_by_time ON log_event (account, at, session, tool) WHERE counts = 1;
COMMIT;
