"""A chain without a network: blocks, mempool, confirmations, reorgs and faults, from a seed and a clock."""
