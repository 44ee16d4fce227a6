"""accounts from directories, that end or are off; sessions that are checked again; scopes of tokens; the audit"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_TIME = sa.DateTime(timezone=True)
# A hurdle against slips, and no proof: who owns the database can take it away.
_APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER audit_events_no_{action} BEFORE {action} ON audit_events "
        "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
        for action in ("update", "delete")
    ],
    "postgresql": [
        "CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$",
        "CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
    ],
}


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("source", sa.String(80), nullable=False, server_default="local"))
        users.add_column(sa.Column("subject", sa.String(300), nullable=True))
        users.add_column(sa.Column("display_name", sa.String(300), nullable=False, server_default=""))
        users.add_column(sa.Column("groups", sa.JSON(), nullable=False, server_default="[]"))
        users.add_column(sa.Column("must_change", sa.Boolean(), nullable=False, server_default=sa.false()))
        users.add_column(sa.Column("disabled_at", _TIME, nullable=True))
        users.add_column(sa.Column("expires_at", _TIME, nullable=True))
        users.add_column(sa.Column("checked_at", _TIME, nullable=True))
        users.add_column(sa.Column("left_at", _TIME, nullable=True))
        users.add_column(sa.Column("used_at", _TIME, nullable=True))
        users.create_unique_constraint("users_by_subject", ["source", "subject"])
    op.add_column("sessions", sa.Column("sid", sa.String(300), nullable=True))
    op.add_column("sessions", sa.Column("id_token", sa.Text(), nullable=True))
    op.add_column("sessions", sa.Column("address", sa.String(60), nullable=False, server_default=""))
    op.add_column("sessions", sa.Column("browser", sa.String(300), nullable=False, server_default=""))
    op.add_column("api_tokens", sa.Column("scopes", sa.JSON(), nullable=False, server_default='["ask"]'))
    # Those that are there keep what programs use them for; what administrators do takes a new one, of scope `admin`.
    op.execute("""UPDATE api_tokens SET scopes = '["ask", "conversations", "documents"]'""")
    op.create_table(
        "known_browsers",
        sa.Column("browser_hash", sa.String(64), nullable=False),
        sa.Column("name_hash", sa.String(64), nullable=False),
        sa.Column("used_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("browser_hash", "name_hash"),
    )
    op.create_index("ix_known_browsers_used_at", "known_browsers", ["used_at"])
    op.create_table(
        "one_time",
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("key_hash"),
    )
    op.create_index("ix_one_time_expires_at", "one_time", ["expires_at"])
    op.create_table(
        "audit_events",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("actor_id", sa.String(40), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("address", sa.String(60), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("audit_events_by_actor", "audit_events", ["actor_id", "at"])
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.bulk_insert(head, [{"id": 1, "number": 0, "hash": "0" * 64}])
    for statement in _APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("audit_head")
    op.drop_table("audit_events")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_append_only()")
    op.drop_table("one_time")
    op.drop_table("known_browsers")
    op.drop_column("api_tokens", "scopes")
    for name in ("browser", "address", "id_token", "sid"):
        op.drop_column("sessions", name)
    with op.batch_alter_table("users") as users:
        users.drop_constraint("users_by_subject", type_="unique")
        for name in (
            "used_at",
            "left_at",
            "checked_at",
            "expires_at",
            "disabled_at",
            "must_change",
            "groups",
            "display_name",
            "subject",
            "source",
        ):
            users.drop_column(name)
