// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Order, State} from "../../../contracts/interfaces/IEscrow.sol";
import {RefusingToken} from "../../../contracts/mocks/RefusingToken.sol";
import {Permits} from "../Permits.sol";
import {Table} from "../Table.sol";

/// @notice A few orders, what should become of them, and books of what did.
abstract contract Books is Permits {
    uint256 public constant ORDERS = 5;
    /// The last order's terms are unusable: its fee is over the cap.
    uint256 internal constant UNUSABLE = 4;
    uint256 internal constant BPS = 10_000;
    address public constant ELSEWHERE = address(0xE15E);

    RefusingToken internal refusing;
    Order[] internal orders;
    bytes32[ORDERS] internal ids;
    address[ORDERS] public vault;
    /// Kept here: a warp of one action need not reach the next.
    uint256 internal time = START;

    /// What arrived in an order's vault, what left it, and what is owed of what is still there.
    mapping(uint256 order => uint256) public arrived;
    mapping(uint256 order => uint256) public left;
    mapping(uint256 order => mapping(address owner => uint256)) public owed;
    mapping(uint256 order => uint256) public settlements;
    /// What strayed into an order's vault: the other token, and the native coin.
    mapping(uint256 order => uint256) public strays;
    mapping(uint256 order => uint256) public coins;
    /// What each account should have; the native coin is token zero.
    mapping(address token => mapping(address account => uint256)) public received;
    uint256 internal permits;

    struct Attempt {
        uint256 roles;
        uint256 toBuyer;
        uint256 validUntil;
        uint256 balance;
    }

    constructor() {
        setUp();
        installPermit2();
        vm.prank(seller);
        token.approve(PERMIT2, FOREVER);
        refusing = new RefusingToken();
        for (uint256 i; i < ORDERS; ++i) {
            Order memory order = makeOrder();
            order.salt = uint64(i);
            // Amounts that do not divide evenly.
            (order.amount, order.fee) = (uint128(1_000_003 + i), 33_331);
            if (i & 1 == 1) order.token = address(refusing);
            if (i == UNUSABLE) order.fee = order.amount / 20 + 1;
            orders.push(order);
            (ids[i], vault[i]) = (orderIdOf(order), vaultOf(order));
        }
    }

    // What the invariants read

    function balanceOf(uint256 i) public view returns (uint256) {
        return balanceIn(i & 1 == 1 ? address(refusing) : address(token), vault[i]);
    }

    function strayed(uint256 i) external view returns (uint256) {
        return balanceIn(foreign(i), vault[i]);
    }

    /// The token that the order is not paid in.
    function foreign(uint256 i) internal view returns (address) {
        return i & 1 == 1 ? address(token) : address(refusing);
    }

    function claimsOf(uint256 i) external view returns (uint256) {
        return escrow.claimsOf(ids[i]);
    }

    function claimOf(uint256 i, address owner) external view returns (uint256) {
        return escrow.claimOf(ids[i], owner);
    }

    function owners() public view returns (address[7] memory) {
        return [seller, buyer, TREASURY, coordinator, arbitrator, NOBODY, ELSEWHERE];
    }

    function balancesAreAsBooked() external view returns (bool) {
        address[7] memory accounts = owners();
        for (uint256 i; i < accounts.length; ++i) {
            address account = accounts[i];
            if (balanceIn(address(token), account) != received[address(token)][account]) return false;
            if (balanceIn(address(refusing), account) != received[address(refusing)][account]) return false;
            if (account.balance != received[address(0)][account]) return false;
        }
        return balanceIn(address(token), address(escrow)) + balanceIn(address(refusing), address(escrow)) == 0;
    }

    // What should settle

    /// What the table, the vault's balance and the token's manners say of it.
    function shouldSettle(uint256 i, Attempt memory attempt) internal view returns (bool) {
        Order memory order = orders[i];
        if (settlements[i] != 0 || attempt.validUntil <= time || attempt.toBuyer > order.amount) return false;
        return allowed(i, attempt) && (attempt.balance >= order.amount || covered(i, attempt)) && paysSome(i, attempt);
    }

    function allowed(uint256 i, Attempt memory attempt) internal view returns (bool) {
        if (i == UNUSABLE) return attempt.toBuyer == 0;
        State memory state = escrow.stateOf(ids[i]);
        return Table.allows(attempt.roles, attempt.toBuyer, attempt.balance, orders[i], state, time);
    }

    /// Of a short vault: a refund, what both traders agreed on if it is there, or the default share.
    function covered(uint256 i, Attempt memory attempt) internal view returns (bool) {
        if (attempt.toBuyer == 0 || attempt.roles & 3 == 3 && attempt.balance >= attempt.toBuyer) return true;
        return Table.byDefault(attempt.toBuyer, attempt.balance, orders[i], escrow.stateOf(ids[i]), time);
    }

    function paysSome(uint256 i, Attempt memory attempt) internal view returns (bool) {
        uint256 fee = orders[i].fee * attempt.toBuyer / orders[i].amount;
        return attempt.balance == 0 || attempt.toBuyer != fee && !refuses(i, buyer) || fee != 0 && !refuses(i, TREASURY)
            || attempt.balance != attempt.toBuyer && !refuses(i, seller);
    }

    // The books

    /// The books after a settlement, from the interface's words: share less fee, fee, the rest and any surplus.
    function book(uint256 i, Attempt memory attempt) internal {
        Order memory order = orders[i];
        vm.assertTrue(attempt.toBuyer <= order.amount && attempt.validUntil > time);
        uint256 traders = attempt.roles & (SELLER | BUYER);
        State memory state = escrow.stateOf(orderIdOf(order));
        vm.assertTrue(traders != 0 || state.disputedAt != 0 || i == UNUSABLE, "the platform alone settled");
        ++settlements[i];
        uint256 fee = order.fee * attempt.toBuyer / order.amount;
        uint256 before = owedOf(i);
        payOrOwe(i, buyer, attempt.toBuyer - fee);
        payOrOwe(i, TREASURY, fee);
        payOrOwe(i, seller, attempt.balance - attempt.toBuyer);
        vm.assertTrue(owedOf(i) - before < attempt.balance || attempt.balance == 0, "nothing was paid");
    }

    function payOrOwe(uint256 i, address to, uint256 amount) internal {
        if (refuses(i, to)) owed[i][to] += amount;
        else pay(i, to, amount);
    }

    function pay(uint256 i, address to, uint256 amount) internal {
        left[i] += amount;
        credit(orders[i].token, to, amount);
    }

    function credit(address paidIn, address to, uint256 amount) internal {
        uint256 lost = paidIn == address(token) ? amount * token.basisPointsRate() / BPS : 0;
        received[paidIn][to] += amount - lost;
    }

    function refuses(uint256 i, address to) internal view returns (bool) {
        return refuses(orders[i].token, i, to);
    }

    function refuses(address paidIn, uint256 i, address to) internal view returns (bool) {
        if (paidIn == address(token)) return token.paused() || token.isBlackListed(vault[i]);
        return refusing.mannerTo(to) != RefusingToken.Manner.Accept;
    }

    function owedOf(uint256 i) public view returns (uint256 sum) {
        address[7] memory accounts = owners();
        for (uint256 k; k < accounts.length; ++k) {
            sum += owed[i][accounts[k]];
        }
    }

    function balanceIn(address which, address account) internal view returns (uint256) {
        return which == address(token) ? token.balanceOf(account) : refusing.balanceOf(account);
    }

    function digests() internal view returns (bytes32[ORDERS] memory all) {
        for (uint256 i; i < orders.length; ++i) {
            all[i] = digest(i);
        }
    }

    function requireSame(bytes32[ORDERS] memory before, uint256 i, uint256 j) internal view {
        for (uint256 k; k < ORDERS; ++k) {
            vm.assertTrue(k == i || k == j || before[k] == 0 || digest(k) == before[k], "another order was touched");
        }
    }

    /// All that there is of an order: what its vault holds, its tombstone, its state and its claims.
    function digest(uint256 i) internal view returns (bytes32) {
        bytes32 id = ids[i];
        State memory state = escrow.stateOf(id);
        return keccak256(
            abi.encode(
                balanceOf(i),
                balanceIn(foreign(i), vault[i]),
                vault[i].balance,
                vault[i].code.length,
                state,
                escrow.claimOf(id, buyer),
                escrow.claimOf(id, TREASURY),
                escrow.claimOf(id, seller),
                escrow.claimsOf(id)
            )
        );
    }
}
