// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice A wallet that answers every call with given bytes.
contract AnsweringWallet {
    bytes private answer;

    constructor(bytes memory answer_) {
        answer = answer_;
    }

    fallback(bytes calldata) external returns (bytes memory) {
        return answer;
    }
}

/// @notice A wallet that reverts.
contract RevertingWallet {
    fallback() external {
        revert("no");
    }
}

/// @notice A wallet that burns the gas it is given.
contract BurningWallet {
    fallback() external {
        while (true) {}
    }
}

/// @notice A wallet that signs only if it managed to call the escrow in between; it calls it when it is paid, too.
contract ReenteringWallet {
    address private immutable ESCROW;
    bytes private call;
    bool public entered;

    constructor(address escrow) {
        ESCROW = escrow;
    }

    function callBack(bytes calldata data) external {
        call = data;
    }

    function isValidSignature(bytes32, bytes calldata) external returns (bytes4) {
        (bool done,) = ESCROW.call{gas: 500_000}(call);
        return done ? this.isValidSignature.selector : bytes4(0);
    }

    receive() external payable {
        (entered,) = ESCROW.call(call);
    }
}

/// @notice A wallet that signs if its gas lies between two bounds.
contract MeteringWallet {
    uint256 private immutable LEAST;
    uint256 private immutable MOST;

    constructor(uint256 least, uint256 most) {
        (LEAST, MOST) = (least, most);
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        return gasleft() >= LEAST && gasleft() <= MOST ? this.isValidSignature.selector : bytes4(0);
    }
}

/// @notice What a delegated account (EIP-7702) may run: it takes calls and knows no ERC-1271.
contract PlainDelegate {
    receive() external payable {}

    fallback() external payable {}
}
