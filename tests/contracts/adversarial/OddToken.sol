// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice A token that misbehaves in a chosen way.
contract OddToken {
    enum Way {
        Honest,
        AnswersNothing,
        AnswersLong,
        TakesAFee,
        Reenters,
        ReentersFirst,
        // From here on nobody is paid
        AnswersFalse,
        AnswersTwo,
        AnswersAByte,
        Reverts,
        RevertsLong,
        BurnsGas,
        IsPaused,
        FreezesSenders,
        // From here on the buyer is not paid
        FreezesBuyer,
        AnswersFalseToBuyer,
        AnswersTwoToBuyer
    }

    mapping(address => uint256) public balanceOf;
    uint8 public immutable decimals;
    address private immutable BUYER;

    Way public way;
    address private target;
    bytes[] private callbacks;
    uint256 public entered;

    constructor(uint8 decimals_, address buyer) {
        (decimals, BUYER) = (decimals_, buyer);
    }

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    /// Balances change without a transfer, as rebasing tokens' do.
    function rebase(address account, uint256 balance) external {
        balanceOf[account] = balance;
    }

    function turn(Way to) external {
        way = to;
    }

    function callBack(address to, bytes calldata data) external {
        target = to;
        callbacks.push(data);
    }

    function transfer(address to, uint256 amount) external {
        bool toBuyer = to == BUYER;
        if (way == Way.Reverts || way == Way.IsPaused || way == Way.FreezesSenders) revert();
        if (way == Way.FreezesBuyer && toBuyer) revert();
        if (way == Way.RevertsLong) revertWith(100_000);
        if (way == Way.BurnsGas) while (true) {}
        if (way == Way.AnswersFalse || way == Way.AnswersFalseToBuyer && toBuyer) answer(0, 32);
        if (way == Way.ReentersFirst) reenter();
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += way == Way.TakesAFee ? amount - amount / 100 : amount;
        if (way == Way.Reenters) reenter();
        if (way == Way.AnswersTwo || way == Way.AnswersTwoToBuyer && toBuyer) answer(2, 32);
        if (way == Way.AnswersAByte) answer(1 << 248, 1);
        if (way == Way.AnswersLong) answer(1, 20_000);
        if (way != Way.AnswersNothing) answer(1, 32);
    }

    function reenter() private {
        for (uint256 i; i < callbacks.length; ++i) {
            (bool done,) = target.call(callbacks[i]);
            if (done) ++entered;
        }
    }

    function answer(uint256 word, uint256 size) private pure {
        assembly ("memory-safe") {
            let start := mload(0x40)
            mstore(start, word)
            return(start, size)
        }
    }

    function revertWith(uint256 size) private pure {
        assembly ("memory-safe") {
            revert(mload(0x40), size)
        }
    }
}
