"""The columns of the results table, apart from the table itself, which takes longer to load."""

import pyarrow as pa

PROBABILITIES = [f"p{digit}" for digit in range(10)]  # columns: not every reader knows fixed lists
INK_TYPE = pa.struct(
    [
        ("polarity", pa.string()),
        ("contrast", pa.int16()),
        ("share", pa.float32()),
        ("left", pa.int32()),
        ("top", pa.int32()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("stroke_width", pa.float32()),
        ("groups", pa.int16()),
        ("rivals", pa.int16()),
        ("touches_edge", pa.bool_()),
        ("removed", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        pa.field("root", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("page", pa.int16(), nullable=False),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("content_hash", pa.string()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        ("detail", pa.string()),
        ("digit", pa.int8()),
        ("confidence", pa.float32()),
        ("digit_score", pa.float32()),
        *[(name, pa.float32()) for name in PROBABILITIES],
        ("ink", INK_TYPE),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("canonical_version", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("read_at", pa.timestamp("us", tz="UTC"), nullable=False),
        # null in rows of earlier versions of digitflow, whose tables get these columns later
        ("error_bound", pa.float64()),
        ("commit_version", pa.int64()),
        ("doubts", pa.string()),
        ("kind", pa.string()),
        ("original", pa.string()),  # null: the file stays; see tasks/results/originals.py
        ("instead_of", pa.string()),
        ("taken_back", pa.string()),  # null: it counts; see tasks/results/take_back.py
        ("audit", pa.float32()),  # the probability with which it was drawn for the audit; null: not
        ("answered_by", pa.string()),  # a person; null: the model's answer stands
        ("answered_at", pa.timestamp("us", tz="UTC")),
        ("model_status", pa.string()),  # what the model had made of it, where a person has answered
        ("model_digit", pa.int8()),
    ]
)
