"""The demo: the sandbox's business day through the real bridge. The only module of the bridge that imports `sandbox`."""
