"""The first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None

JSON = sa.Text().with_variant(mysql.MEDIUMTEXT(), 'mysql', 'mariadb')
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    """Make all tables."""
    dialect = op.get_bind().dialect
    if dialect.name in ('mysql', 'mariadb'):
        # By default they take `key`, `Key`, `këy` and `key ` for the same, as no other database does.
        collation = 'utf8mb4_nopad_bin' if getattr(dialect, 'is_mariadb', False) else 'utf8mb4_0900_bin'
        op.execute(f'ALTER DATABASE CHARACTER SET utf8mb4 COLLATE {collation}')
    op.create_table(
        'flavors',
        sa.Column('id', ROW_ID, nullable=False),
        sa.Column('flavor_id', sa.String(length=255), nullable=False),
        sa.Column('name', sa.String(length=255), nullable=False),
        sa.Column('vcpus', sa.Integer(), nullable=False),
        sa.Column('memory_mb', sa.Integer(), nullable=False),
        sa.Column('record_json', JSON, nullable=False),
        sa.Column('created_at', MOMENT, nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_flavors')),
        sa.UniqueConstraint('flavor_id', name=op.f('uq_flavors_flavor_id')),
        sa.UniqueConstraint('name', name=op.f('uq_flavors_name')),
    )
    op.create_table(
        'heartbeats',
        sa.Column('service_id', sa.String(length=36), nullable=False),
        sa.Column('last_seen_at', MOMENT, nullable=False),
        sa.PrimaryKeyConstraint('service_id', name=op.f('pk_heartbeats')),
    )
    op.create_table(
        'idempotency_keys',
        sa.Column('project_id', sa.String(length=255), nullable=False),
        sa.Column('key', sa.String(length=255), nullable=False),
        sa.Column('request_hash', sa.String(length=128), nullable=False),
        sa.Column('answer', JSON, nullable=True),
        sa.Column('expires_at', MOMENT, nullable=False),
        sa.PrimaryKeyConstraint('project_id', 'key', name=op.f('pk_idempotency_keys')),
    )
    op.create_index(op.f('ix_idempotency_keys_expires_at'), 'idempotency_keys', ['expires_at'], unique=False)
    op.create_table(
        'keypairs',
        sa.Column('user_id', sa.String(length=255), nullable=False),
        sa.Column('name', sa.String(length=255), nullable=False),
        sa.Column('type', sa.String(length=16), nullable=False),
        sa.Column('public_key', JSON, nullable=False),
        sa.Column('fingerprint', sa.String(length=255), nullable=False),
        sa.Column('created_at', MOMENT, nullable=False),
        sa.PrimaryKeyConstraint('user_id', 'name', name=op.f('pk_keypairs')),
    )
    op.create_table(
        'project_usage',
        sa.Column('project_id', sa.String(length=255), nullable=False),
        sa.Column('instances', sa.Integer(), nullable=False),
        sa.Column('cores', sa.Integer(), nullable=False),
        sa.Column('ram_mb', sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint('project_id', name=op.f('pk_project_usage')),
    )
    op.create_table(
        'services',
        sa.Column('id', sa.String(length=36), nullable=False),
        sa.Column('binary', sa.String(length=64), nullable=False),
        sa.Column('host', sa.String(length=255), nullable=False),
        sa.Column('created_at', MOMENT, nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_services')),
        sa.UniqueConstraint('binary', 'host', name=op.f('uq_services_binary_host')),
    )
    op.create_table(
        'ticks',
        sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('last_tick_at', MOMENT, nullable=False),
        sa.Column('grace_until', MOMENT, nullable=False),
        sa.Column('gap_s', sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_ticks')),
    )
    op.create_table(
        'hosts',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('uuid', sa.String(length=36), nullable=False),
        sa.Column('name', sa.String(length=255), nullable=False),
        sa.Column('service_id', sa.String(length=36), nullable=False),
        sa.Column('zone', sa.String(length=255), nullable=False),
        sa.Column('inventory_json', JSON, nullable=False),
        sa.Column('generation', sa.BigInteger(), nullable=False),
        sa.Column('epoch', sa.Integer(), nullable=False),
        sa.Column('up', sa.Boolean(), nullable=False),
        sa.Column('disabled', sa.Boolean(), nullable=False),
        sa.Column('disabled_reason', sa.String(length=255), nullable=True),
        sa.Column('forced_down', sa.Boolean(), nullable=False),
        sa.Column('limit_vcpus', sa.Integer(), nullable=False),
        sa.Column('limit_memory_mb', sa.Integer(), nullable=False),
        sa.Column('limit_disk_gb', sa.Integer(), nullable=False),
        sa.Column('used_vcpus', sa.Integer(), nullable=False),
        sa.Column('used_memory_mb', sa.Integer(), nullable=False),
        sa.Column('used_disk_gb', sa.Integer(), nullable=False),
        sa.Column('created_at', MOMENT, nullable=False),
        sa.ForeignKeyConstraint(['service_id'], ['services.id'], name=op.f('fk_hosts_service_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_hosts')),
        sa.UniqueConstraint('name', name=op.f('uq_hosts_name')),
        sa.UniqueConstraint('uuid', name=op.f('uq_hosts_uuid')),
    )
    op.create_index(op.f('ix_hosts_service_id'), 'hosts', ['service_id'], unique=False)
    op.create_table(
        'residues',
        sa.Column('host_id', sa.Integer(), nullable=False),
        sa.Column('server_id', sa.String(length=36), nullable=False),
        sa.Column('sequence', sa.Integer(), nullable=False),
        sa.Column('vcpus', sa.Integer(), nullable=False),
        sa.Column('memory_mb', sa.Integer(), nullable=False),
        sa.Column('disk_gb', sa.Integer(), nullable=False),
        sa.Column('created_at', MOMENT, nullable=False),
        sa.ForeignKeyConstraint(['host_id'], ['hosts.id'], name=op.f('fk_residues_host_id')),
        sa.PrimaryKeyConstraint('host_id', 'server_id', name=op.f('pk_residues')),
    )
    op.create_table(
        'servers',
        sa.Column('id', sa.String(length=36), nullable=False),
        sa.Column('project_id', sa.String(length=255), nullable=False),
        sa.Column('user_id', sa.String(length=255), nullable=False),
        sa.Column('name', sa.String(length=255), nullable=False),
        sa.Column('hostname', sa.String(length=255), nullable=False),
        sa.Column('vm_state', sa.String(length=32), nullable=False),
        sa.Column('task_state', sa.String(length=64), nullable=True),
        sa.Column('power_state', sa.Integer(), nullable=False),
        sa.Column('sequence', sa.Integer(), nullable=False),
        sa.Column('operation_id', sa.String(length=36), nullable=True),
        sa.Column('host_id', sa.Integer(), nullable=True),
        sa.Column('flavor_id', sa.String(length=255), nullable=False),
        sa.Column('flavor_json', JSON, nullable=False),
        sa.Column('vcpus', sa.Integer(), nullable=False),
        sa.Column('memory_mb', sa.Integer(), nullable=False),
        sa.Column('disk_gb', sa.Integer(), nullable=False),
        sa.Column('image_id', sa.String(length=36), nullable=True),
        sa.Column('key_name', sa.String(length=255), nullable=True),
        sa.Column('availability_zone', sa.String(length=255), nullable=True),
        sa.Column('reservation_id', sa.String(length=64), nullable=False),
        sa.Column('launch_index', sa.Integer(), nullable=False),
        sa.Column('user_data', JSON, nullable=True),
        sa.Column('metadata_json', JSON, nullable=False),
        sa.Column('addresses_json', JSON, nullable=False),
        sa.Column('options_json', JSON, nullable=False),
        sa.Column('deleted', sa.Boolean(), nullable=False),
        sa.Column('created_at', MOMENT, nullable=False),
        sa.Column('updated_at', MOMENT, nullable=True),
        sa.Column('launched_at', MOMENT, nullable=True),
        sa.Column('terminated_at', MOMENT, nullable=True),
        sa.ForeignKeyConstraint(['host_id'], ['hosts.id'], name=op.f('fk_servers_host_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_servers')),
    )
    op.create_index('ix_servers_host', 'servers', ['host_id', 'deleted'], unique=False)
    op.create_index('ix_servers_page', 'servers', ['deleted', 'created_at', 'id'], unique=False)
    op.create_index('ix_servers_project_page', 'servers', ['project_id', 'deleted', 'created_at', 'id'], unique=False)
    op.create_table(
        'allocations',
        sa.Column('server_id', sa.String(length=36), nullable=False),
        sa.Column('role', sa.String(length=16), nullable=False),
        sa.Column('host_id', sa.Integer(), nullable=False),
        sa.Column('vcpus', sa.Integer(), nullable=False),
        sa.Column('memory_mb', sa.Integer(), nullable=False),
        sa.Column('disk_gb', sa.Integer(), nullable=False),
        sa.Column('created_at', MOMENT, nullable=False),
        sa.ForeignKeyConstraint(['host_id'], ['hosts.id'], name=op.f('fk_allocations_host_id')),
        sa.ForeignKeyConstraint(['server_id'], ['servers.id'], name=op.f('fk_allocations_server_id')),
        sa.PrimaryKeyConstraint('server_id', 'role', name=op.f('pk_allocations')),
    )
    op.create_index(op.f('ix_allocations_host_id'), 'allocations', ['host_id'], unique=False)
    op.create_table(
        'faults',
        sa.Column('id', ROW_ID, nullable=False),
        sa.Column('server_id', sa.String(length=36), nullable=False),
        sa.Column('operation_id', sa.String(length=36), nullable=True),
        sa.Column('code', sa.Integer(), nullable=False),
        sa.Column('message', sa.Text(), nullable=False),
        sa.Column('details', JSON, nullable=True),
        sa.Column('created_at', MOMENT, nullable=False),
        sa.ForeignKeyConstraint(['server_id'], ['servers.id'], name=op.f('fk_faults_server_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_faults')),
    )
    op.create_index(op.f('ix_faults_server_id'), 'faults', ['server_id'], unique=False)
    op.create_table(
        'operations',
        sa.Column('id', sa.String(length=36), nullable=False),
        sa.Column('server_id', sa.String(length=36), nullable=False),
        sa.Column('kind', sa.String(length=32), nullable=False),
        sa.Column('state', sa.String(length=16), nullable=False),
        sa.Column('sequence', sa.Integer(), nullable=False),
        sa.Column('attempt', sa.Integer(), nullable=False),
        sa.Column('tries', sa.Integer(), nullable=False),
        sa.Column('host_id', sa.Integer(), nullable=True),
        sa.Column('request_id', sa.String(length=64), nullable=False),
        sa.Column('project_id', sa.String(length=255), nullable=False),
        sa.Column('user_id', sa.String(length=255), nullable=False),
        sa.Column('params_json', JSON, nullable=False),
        sa.Column('excluded_json', JSON, nullable=False),
        sa.Column('decision_json', JSON, nullable=True),
        sa.Column('vm_state', sa.String(length=32), nullable=False),
        sa.Column('message', sa.Text(), nullable=True),
        sa.Column('next_run_at', MOMENT, nullable=True),
        sa.Column('deadline_at', MOMENT, nullable=False),
        sa.Column('created_at', MOMENT, nullable=False),
        sa.Column('finished_at', MOMENT, nullable=True),
        sa.ForeignKeyConstraint(['host_id'], ['hosts.id'], name=op.f('fk_operations_host_id')),
        sa.ForeignKeyConstraint(['server_id'], ['servers.id'], name=op.f('fk_operations_server_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_operations')),
        sa.UniqueConstraint('server_id', 'sequence', name=op.f('uq_operations_server_id_sequence')),
    )
    op.create_index('ix_operations_host', 'operations', ['host_id', 'next_run_at'], unique=False)
    op.create_index(op.f('ix_operations_next_run_at'), 'operations', ['next_run_at'], unique=False)
    op.create_table(
        'events',
        sa.Column('id', ROW_ID, nullable=False),
        sa.Column('operation_id', sa.String(length=36), nullable=False),
        sa.Column('name', sa.String(length=64), nullable=False),
        sa.Column('host', sa.String(length=255), nullable=True),
        sa.Column('attempt', sa.Integer(), nullable=False),
        sa.Column('started_at', MOMENT, nullable=False),
        sa.Column('finished_at', MOMENT, nullable=True),
        sa.Column('result', sa.String(length=32), nullable=True),
        sa.Column('details', JSON, nullable=True),
        sa.ForeignKeyConstraint(['operation_id'], ['operations.id'], name=op.f('fk_events_operation_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_events')),
    )
    op.create_index(op.f('ix_events_operation_id'), 'events', ['operation_id'], unique=False)
