"""What a valid address is, one module per family of networks. EVM's rules live with the EVM chain."""
