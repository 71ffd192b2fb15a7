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
        // From here on one account is singled out: it cannot send,
        FreezesSender,
        // or is not paid
        FreezesRecipient,
        AnswersFalseToRecipient,
        AnswersTwoToRecipient
    }

    mapping(address => uint256) public balanceOf;
    uint8 public immutable decimals;

    Way public way;
    address private one;
    address private target;
    bytes[] private callbacks;
    uint256 public entered;

    error Paused();
    error Frozen(address account);

    /// A pause stops every transfer, whoever makes it; a freeze those of one account.
    modifier whileFree(address from, address to) {
        require(way != Way.IsPaused, Paused());
        require(way != Way.FreezesSender || from != one, Frozen(from));
        require(way != Way.FreezesRecipient || to != one, Frozen(to));
        _;
    }

    constructor(uint8 decimals_) {
        decimals = decimals_;
    }

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    /// Balances change without a transfer, as rebasing tokens' do.
    function rebase(address account, uint256 balance) external {
        balanceOf[account] = balance;
    }

    function turn(Way to, address account) external {
        (way, one) = (to, account);
    }

    function callBack(address to, bytes calldata data) external {
        target = to;
        callbacks.push(data);
    }

    /// What is deposited comes from nowhere: only where it goes matters here.
    function transferFrom(address from, address to, uint256 amount) external whileFree(from, to) returns (bool) {
        balanceOf[to] += amount;
        return true;
    }

    function transfer(address to, uint256 amount) external whileFree(msg.sender, to) {
        bool toOne = to == one;
        if (way == Way.Reverts) revert();
        if (way == Way.RevertsLong) revertWith(100_000);
        if (way == Way.BurnsGas) while (true) {}
        if (way == Way.AnswersFalse || way == Way.AnswersFalseToRecipient && toOne) answer(0, 32);
        if (way == Way.ReentersFirst) reenter();
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += way == Way.TakesAFee ? amount - amount / 100 : amount;
        if (way == Way.Reenters) reenter();
        if (way == Way.AnswersTwo || way == Way.AnswersTwoToRecipient && toOne) answer(2, 32);
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
