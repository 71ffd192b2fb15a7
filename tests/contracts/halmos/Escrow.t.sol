// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Escrow} from "../../../contracts/Escrow.sol";
import {Order, Role} from "../../../contracts/interfaces/IEscrow.sol";
import {Vm} from "../Base.sol";

/// @notice Keeps balances and nothing else, so that the proofs are about the escrow.
contract ProofToken {
    mapping(address => uint256) public balanceOf;

    function mint(address holder, uint256 amount) external {
        balanceOf[holder] += amount;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
        return true;
    }
}

/// @notice A party that signs whatever is asked.
contract WillingParty {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return 0x1626ba7e;
    }
}

/// @notice A party that signs nothing.
contract UnwillingParty {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return 0;
    }
}

/// @notice Proven of the deployed contract's own code, for every share, expiry, time, balance of the vault, refund
/// request and dispute: what `settle` pays and to whom, for every set of roles that the table names; that it settles
/// once, in two steps: whoever settles leaves the vault with code, and over that code nothing settles; and that
/// coordinator and arbitrator together move nothing.
/// Assumed: the terms are the ones below (products of long unknowns are beyond the prover; amount and fee are odd
/// numbers so that every division leaves a rest; the fee's own proof has them unknown, but short); an account signs by
/// ERC-1271 or as the sender, so that ECDSA is left out; the token is `ProofToken`; at most one signature of each role
/// is given.
contract EscrowProof {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint128 private constant AMOUNT = 1_000_003;
    uint128 private constant FEE = 33_331;
    uint256 private constant SELLER = 1;
    uint256 private constant BUYER = 2;
    uint256 private constant COORDINATOR = 4;
    uint256 private constant ARBITRATOR = 8;
    address private constant TREASURY = address(0xFEE);
    address private constant STRANGER = address(0x5757);

    Escrow private escrow;
    ProofToken private token;
    Order private order;
    address private vault;
    bytes32 private orderId;

    function setUp() external {
        escrow = new Escrow();
    }

    /// The order with these roles willing to sign, and `balance` in its vault.
    function given(uint256 willing, uint256 balance) private {
        address[4] memory parties;
        for (uint256 i; i < 4; ++i) {
            parties[i] = willing >> i & 1 == 1 ? address(new WillingParty()) : address(new UnwillingParty());
        }
        token = new ProofToken();
        order = Order({
            token: address(token),
            amount: AMOUNT,
            fee: FEE,
            feeRecipient: TREASURY,
            seller: parties[0],
            buyer: parties[1],
            coordinator: parties[2],
            arbitrator: parties[3],
            payBy: 1_800_001_000,
            refundWindow: 500,
            rulingWindow: 300,
            finalWindow: 850,
            defaultBuyerBps: 3_333,
            salt: 1
        });
        fund(balance);
    }

    function fund(uint256 balance) private {
        orderId = escrow.orderIdOf(order);
        vault = escrow.vaultOf(orderId);
        token.mint(vault, balance);
    }

    /// Perhaps a refund request, perhaps a dispute, each at any time.
    function happened(uint64 requestedAt, uint64 disputedAt) private {
        if (requestedAt != 0) {
            vm.warp(requestedAt);
            vm.prank(order.seller);
            escrow.requestRefund(order, "");
        }
        if (disputedAt != 0) {
            vm.assume(disputedAt >= requestedAt);
            vm.warp(disputedAt);
            vm.prank(order.buyer);
            escrow.dispute(order, Role.Buyer, "");
        }
    }

    function signaturesOf(uint256 roles) private pure returns (bytes memory made) {
        for (uint256 i; i < 4; ++i) {
            if (roles >> i & 1 == 1) made = abi.encodePacked(made, uint8(i), uint16(0));
        }
    }

    function settles(address sender, uint256 roles, uint256 toBuyer, uint256 validUntil) private returns (bool done) {
        bytes memory call = abi.encodeCall(escrow.settle, (order, toBuyer, validUntil, signaturesOf(roles)));
        vm.prank(sender);
        (done,) = address(escrow).call(call);
    }

    struct Case {
        uint256 balance;
        uint256 toBuyer;
        uint256 validUntil;
        uint64 time;
        uint64 requestedAt;
        uint64 disputedAt;
    }

    function start(Case memory c, uint256 willing) private {
        given(willing, c.balance);
        happened(c.requestedAt, c.disputedAt);
        vm.assume(c.time >= c.requestedAt && c.time >= c.disputedAt);
        vm.warp(c.time);
    }

    // Exactly the amount, and only to the three

    function paysExactly(Case memory c, uint256 roles, address other) private returns (bool paid) {
        start(c, roles);
        vm.assume(other != order.seller && other != order.buyer && other != TREASURY && other != vault);
        if (!settles(STRANGER, roles, c.toBuyer, c.validUntil)) {
            assert(token.balanceOf(vault) == c.balance);
            return false;
        }
        assert(c.time < c.validUntil && c.toBuyer <= AMOUNT && c.toBuyer <= c.balance);
        uint256 fee = token.balanceOf(TREASURY);
        assert(fee == c.toBuyer * FEE / AMOUNT);
        assert(token.balanceOf(order.buyer) == c.toBuyer - fee);
        assert(token.balanceOf(order.seller) == c.balance - c.toBuyer);
        assert(token.balanceOf(vault) == 0);
        assert(token.balanceOf(other) == 0);
        assert(escrow.claimsOf(orderId) == 0);
        assert(vault.code.length == 39);
        return true;
    }

    function check_bothTradersArePaidExactly(Case memory c, address other) external {
        paysExactly(c, SELLER | BUYER, other);
    }

    function check_aReleaseIsPaidExactly(Case memory c, address other) external {
        paysExactly(c, SELLER | COORDINATOR, other);
    }

    function check_aRefundIsPaidExactly(Case memory c, address other) external {
        paysExactly(c, BUYER | COORDINATOR, other);
    }

    function check_theSellerAloneIsPaidExactly(Case memory c, address other) external {
        paysExactly(c, SELLER, other);
    }

    function check_aRulingForTheSellerIsPaidExactly(Case memory c, address other) external {
        paysExactly(c, SELLER | ARBITRATOR, other);
    }

    function check_aRulingIsPaidExactly(Case memory c, address other) external {
        paysExactly(c, BUYER | ARBITRATOR, other);
    }

    function check_nobodyIsPaidExactly(Case memory c, address other) external {
        if (!paysExactly(c, 0, other)) return;
        assert(c.toBuyer == (c.balance < AMOUNT ? c.balance : AMOUNT) * 3_333 / 10_000);
    }

    /// Here amount and fee are unknown, too, and share and balance the traders' own choice; all of at most 8 bits.
    function check_feeKeepsTheCapAndIsRoundedByLessThanAUnit(uint8 amount, uint8 fee, uint8 toBuyer) external {
        given(SELLER | BUYER, 0);
        (order.amount, order.fee) = (amount, fee);
        fund(amount);
        if (!settles(STRANGER, SELLER | BUYER, toBuyer, type(uint256).max)) return;
        if (toBuyer == 0) return;
        uint256 taken = token.balanceOf(TREASURY);
        assert(taken <= uint256(toBuyer) / 20);
        assert(taken * amount <= uint256(fee) * toBuyer);
        assert((taken + 1) * amount > uint256(fee) * toBuyer);
        assert(token.balanceOf(order.buyer) + taken == toBuyer);
    }

    // Once

    /// The vault has its code, holds anything, anything happened before; all four sign anything, and nothing moves.
    function check_aSettledOrderStaysSettled(Case memory c) external {
        start(c, SELLER | BUYER | COORDINATOR | ARBITRATOR);
        vm.etch(vault, abi.encodePacked(hex"365f5f37365f365f365f73", escrow, hex"5af4602557fd5bf3"));
        assert(!settles(STRANGER, 15, c.toBuyer, c.validUntil));
        assert(!settles(order.seller, 15, c.toBuyer, c.validUntil));
        assert(!settles(STRANGER, 0, c.toBuyer, c.validUntil));
        assert(token.balanceOf(vault) == c.balance);
    }

    // The platform

    /// Coordinator and arbitrator sign, any of them or a stranger sends, a dispute's final window has not passed.
    function check_thePlatformMovesNothing(Case memory c) external {
        start(c, COORDINATOR | ARBITRATOR);
        if (c.disputedAt != 0) vm.assume(c.time < uint256(c.disputedAt) + 300 + 850);
        assert(!settles(order.coordinator, ARBITRATOR, c.toBuyer, c.validUntil));
        assert(!settles(order.arbitrator, COORDINATOR, c.toBuyer, c.validUntil));
        assert(!settles(STRANGER, COORDINATOR | ARBITRATOR, c.toBuyer, c.validUntil));
        assert(!settles(STRANGER, 15, c.toBuyer, c.validUntil));
        assert(token.balanceOf(vault) == c.balance);
    }

    /// Nor do they start a clock: neither a dispute nor a refund request in a trader's name.
    function check_thePlatformStartsNoClock(Case memory c, bool byBuyer, bool sends) external {
        given(COORDINATOR | ARBITRATOR, c.balance);
        vm.warp(c.time);
        address sender = sends ? order.coordinator : order.arbitrator;
        vm.prank(sender);
        (bool done,) = address(escrow).call(
            abi.encodeCall(escrow.dispute, (order, byBuyer ? Role.Buyer : Role.Seller, ""))
        );
        assert(!done);
        vm.prank(sender);
        (done,) = address(escrow).call(abi.encodeCall(escrow.requestRefund, (order, "")));
        assert(!done);
    }
}
