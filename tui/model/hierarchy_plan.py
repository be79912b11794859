"""A wish about snapshots that are there and what is known of the host make a plan."""

from __future__ import annotations

from tui.model.hierarchy_case import HierarchyFacts
from tui.model.hierarchy_delete import plan_delete
from tui.model.hierarchy_import import plan_import
from tui.model.hierarchy_request import (
    HierarchyRequest,
    SnapshotDeleteRequest,
    SnapshotImportRequest,
    SnapshotRevertRequest,
)
from tui.model.hierarchy_revert import plan_revert
from tui.model.plan import Plan


def plan_hierarchy(request: HierarchyRequest, facts: HierarchyFacts, plan_id: str) -> Plan:
    """Make the plan."""
    match request:
        case SnapshotImportRequest():
            return plan_import(request, facts, plan_id)
        case SnapshotDeleteRequest():
            return plan_delete(request, facts, plan_id)
        case SnapshotRevertRequest():
            return plan_revert(request, facts, plan_id)
