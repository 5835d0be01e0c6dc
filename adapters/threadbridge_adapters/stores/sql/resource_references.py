"""Which assistants and threads name a file or a vector store in their `tool_resources`; derived from their bodies."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import bindparam, delete, select

from threadbridge.api_types import JsonMapping, is_json_list, is_json_object
from threadbridge.ports import ObjectKind
from threadbridge_adapters.stores.sql import schema
from threadbridge_adapters.stores.sql.statements import SqlConnection, Statement, build_insert

#: The kinds of objects that have `tool_resources` of their own.
REFERENCING_KINDS = frozenset({ObjectKind.ASSISTANT, ObjectKind.THREAD})

_TABLE = schema.resource_references
_OF_TENANT = _TABLE.c.tenant == bindparam("of_tenant")
_INSERT = build_insert(_TABLE)
_DELETE = Statement(delete(_TABLE).where(_OF_TENANT, _TABLE.c.object_id == bindparam("of_id")))
_SELECT = Statement(
    select(_TABLE.c.object_id)
    .where(_OF_TENANT, _TABLE.c.resource_id == bindparam("of_resource"))
    .order_by(_TABLE.c.object_id)
    .limit(bindparam("row_limit"))
)


def add_references(connection: SqlConnection, tenant: str, body: JsonMapping) -> None:
    """Store the references of a new object; most have none."""
    for resource_id in _list_resource_ids(body):
        connection.execute(_INSERT, {"tenant": tenant, "resource_id": resource_id, "object_id": body["id"]})


def replace_references(connection: SqlConnection, tenant: str, body: JsonMapping) -> None:
    """Store the references of a changed object."""
    remove_references(connection, tenant, body["id"])
    add_references(connection, tenant, body)


def remove_references(connection: SqlConnection, tenant: str, object_id: str) -> None:
    """Remove the references of an object."""
    connection.execute(_DELETE, {"of_tenant": tenant, "of_id": object_id})


def list_referencing_objects(connection: SqlConnection, tenant: str, resource_id: str, limit: int) -> Sequence[str]:
    """The ids of the objects that name this resource, at most `limit`."""
    parameters = {"of_tenant": tenant, "of_resource": resource_id, "row_limit": limit}
    return [row[0] for row in connection.fetch_all(_SELECT, parameters)]


def _list_resource_ids(body: JsonMapping) -> Collection[str]:
    """Everything that the resources list, whichever tool they belong to."""
    resources: JsonMapping = body.get("tool_resources") or {}
    lists = (ids for tool in resources.values() if is_json_object(tool) for ids in tool.values() if is_json_list(ids))
    return dict.fromkeys(each for ids in lists for each in ids if isinstance(each, str))
