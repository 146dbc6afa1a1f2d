"""EVM chains over JSON-RPC: addresses, transactions, fees, ERC-20 tokens, and the node's answers checked."""
