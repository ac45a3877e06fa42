-- The three tables of the hot path. docs/design/storage.md gives the reasons and the sizes.

CREATE SEQUENCE arrivals_dirty_seq CACHE 1;

CREATE TABLE arrivals (
    project_id bigint NOT NULL,
    trace_id uuid NOT NULL,
    day date NOT NULL,
    dirty_seq bigint DEFAULT nextval('arrivals_dirty_seq'),
    dirty_at timestamptz DEFAULT now(),
    tries smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (project_id, trace_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX arrivals_dirty ON arrivals (dirty_seq) WHERE dirty_seq IS NOT NULL;

CREATE TABLE spans (
    project_id bigint NOT NULL,
    day date NOT NULL,
    trace_id uuid NOT NULL,
    span_id bigint NOT NULL,
    parent_id bigint,
    started_at timestamptz NOT NULL,
    start_ns bigint NOT NULL,
    duration_ns bigint,
    name text NOT NULL,
    kind text NOT NULL,
    error boolean NOT NULL,
    provider text,
    model text,
    input_tokens bigint,
    output_tokens bigint,
    total_tokens bigint,
    cost numeric(20, 10),
    rank integer NOT NULL,
    facts jsonb NOT NULL,
    content jsonb NOT NULL,
    raw bytea NOT NULL,
    PRIMARY KEY (project_id, day, trace_id, span_id)
) PARTITION BY RANGE (day);
-- Already zstd: a second compression costs time and saves nothing.
ALTER TABLE spans ALTER raw SET STORAGE EXTERNAL;

CREATE TABLE traces (
    project_id bigint NOT NULL,
    day date NOT NULL,
    trace_id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    duration_ns bigint,
    name text NOT NULL,
    provisional boolean NOT NULL,
    status text NOT NULL,
    finished boolean NOT NULL,
    environment text,
    release text,
    cohort text,
    service text,
    session_id text,
    user_id text,
    tags text[] NOT NULL,
    metadata jsonb NOT NULL,
    models text[] NOT NULL,
    providers text[] NOT NULL,
    prompts text[] NOT NULL,
    tools text[] NOT NULL,
    agents text[] NOT NULL,
    finish_reasons text[] NOT NULL,
    input_tokens bigint,
    output_tokens bigint,
    cached_tokens bigint,
    reasoning_tokens bigint,
    total_tokens bigint,
    cost numeric(20, 10),
    ttft_ns bigint,
    retries integer NOT NULL,
    fallbacks integer NOT NULL,
    timeouts integer NOT NULL,
    streaming boolean NOT NULL,
    outcome text,
    span_count integer NOT NULL,
    error_count integer NOT NULL,
    root_present boolean NOT NULL,
    input_preview text,
    output_preview text,
    signals jsonb NOT NULL,
    signal_kinds text[] NOT NULL,
    severity text,
    feedback jsonb NOT NULL,
    verdict text,
    failure_modes text[] NOT NULL,
    reviewers text[] NOT NULL,
    failing boolean NOT NULL,
    promoted boolean NOT NULL,
    contribution jsonb NOT NULL,
    digest_hash bigint NOT NULL,
    PRIMARY KEY (project_id, day, trace_id)
) PARTITION BY RANGE (day);
-- Serves the list, newest first, and every ranged read; both directions of a keyset page.
CREATE INDEX traces_by_time ON traces (project_id, started_at DESC, trace_id DESC);

-- Partitions are made three days ahead and on demand. SECURITY DEFINER, so that the role of web
-- and worker needs no right to create tables. fillfactor leaves room for HOT updates of a trace
-- row while its spans arrive.
CREATE FUNCTION tracehub_ensure_partitions(first date, last date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    d date;
    suffix text;
BEGIN
    IF last - first > 10 THEN
        RAISE EXCEPTION 'at most 10 days of partitions at once, got % to %', first, last;
    END IF;
    FOR d IN SELECT generate_series(first, last, interval '1 day')::date LOOP
        suffix := to_char(d, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('spans_' || suffix) IS NOT NULL
            AND to_regclass('traces_' || suffix) IS NOT NULL;
        PERFORM pg_advisory_xact_lock(7426, d - date '2000-01-01');
        IF to_regclass('spans_' || suffix) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF spans FOR VALUES FROM (%L) TO (%L)',
                'spans_' || suffix, d, d + 1);
            -- Only above 2 KB a row; below it the payload stays in the row and is read with it.
            EXECUTE format('ALTER TABLE %I SET (toast_tuple_target = 2048)', 'spans_' || suffix);
        END IF;
        IF to_regclass('traces_' || suffix) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF traces FOR VALUES FROM (%L) TO (%L)'
                ' WITH (fillfactor = 85)',
                'traces_' || suffix, d, d + 1);
        END IF;
    END LOOP;
END $$;
