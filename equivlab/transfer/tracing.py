"""A module as torch's own graph of operations: it needs its class no more."""

from __future__ import annotations

from torch import fx, nn

__all__ = ["as_graph"]


def as_graph(module: nn.Module) -> fx.GraphModule:
    """The same function as a `torch.fx.GraphModule`, with the same children and parameter names.

    Args:
        module: whose `forward` is arithmetic and calls of its children, without an ``if`` on its
            input. Its children are shared, not copied.

    Returns:
        A module that can be pickled, compiled and exported without the class it came from.
    """

    class Children(fx.Tracer):  # local, so that a pickle does not name it
        def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
            return True  # look at this module's own `forward`; its children stay modules

    graph = Children().trace(module)
    for node in graph.nodes:
        node.type = None  # an annotation is a name in the module that it came from
    return fx.GraphModule(module, graph, class_name=type(module).__name__.strip("_"))
