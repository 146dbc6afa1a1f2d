// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// Tokens that exist in the wild in one form or another. A payment of any of them must never count as made.
abstract contract NastyToken {
    event Transfer(address indexed from, address indexed to, uint256 value);

    mapping(address => uint256) public balanceOf;
    address public immutable minter = msg.sender;

    function mint(address to, uint256 value) external {
        require(msg.sender == minter, "not the minter");
        balanceOf[to] += value;
        emit Transfer(address(0), to, value);
    }

    function transfer(address to, uint256 value) external virtual returns (bool);

    function _move(address from, address to, uint256 value) internal {
        require(balanceOf[from] >= value, "balance too low");
        balanceOf[from] -= value;
        balanceOf[to] += value;
    }
}

/// Moves nothing and answers false instead of reverting.
contract FalseToken is NastyToken {
    function transfer(address, uint256) external pure override returns (bool) {
        return false;
    }
}

/// Keeps a hundredth of what is sent.
contract FeeToken is NastyToken {
    function transfer(address to, uint256 value) external override returns (bool) {
        uint256 kept = value / 100;
        _move(msg.sender, to, value - kept);
        _move(msg.sender, minter, kept);
        emit Transfer(msg.sender, to, value - kept);
        emit Transfer(msg.sender, minter, kept);
        return true;
    }
}

/// Moves the money and emits nothing.
contract SilentToken is NastyToken {
    function transfer(address to, uint256 value) external override returns (bool) {
        _move(msg.sender, to, value);
        return true;
    }
}

/// Moves nothing itself: it has another contract emit a Transfer event that looks right but for its address.
contract ForgedToken is NastyToken {
    Forger public immutable forger = new Forger();

    function transfer(address to, uint256 value) external override returns (bool) {
        forger.emitTransfer(msg.sender, to, value);
        return true;
    }
}

contract Forger {
    event Transfer(address indexed from, address indexed to, uint256 value);

    function emitTransfer(address from, address to, uint256 value) external {
        emit Transfer(from, to, value);
    }
}

/// A receiver that reverts when anybody sends it coins.
contract Unpayable {
    receive() external payable {
        revert("no coins");
    }
}
