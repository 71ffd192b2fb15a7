// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Escrow} from "../../contracts/Escrow.sol";
import {Order, Role} from "../../contracts/interfaces/IEscrow.sol";
import {TetherMock} from "../../contracts/mocks/TetherMock.sol";

/// @notice The cheatcodes that these tests use.
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    struct SignedDelegation {
        uint8 v;
        bytes32 r;
        bytes32 s;
        uint64 nonce;
        address implementation;
    }

    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function setEvmVersion(string calldata version) external;
    function signAndAttachDelegation(address code, uint256 key) external returns (SignedDelegation memory);
    function warp(uint256 time) external;
    function chainId(uint256 id) external;
    function prank(address sender) external;
    function deployCode(string calldata what) external returns (address);
    function deployCode(string calldata what, bytes calldata arguments) external returns (address);
    function deal(address account, uint256 balance) external;
    function etch(address account, bytes calldata code) external;
    function snapshotState() external returns (uint256 id);
    function revertToState(uint256 id) external returns (bool);
    function revertToStateAndDelete(uint256 id) external returns (bool);
    function expectRevert() external;
    function expectRevert(bytes calldata data) external;
    function expectEmit(address emitter) external;
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory logs);
    function assume(bool condition) external pure;
    function readFile(string calldata path) external view returns (string memory);
    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);
    function parseJsonUintArray(string calldata json, string calldata key) external pure returns (uint256[] memory);
    function parseJsonBoolArray(string calldata json, string calldata key) external pure returns (bool[] memory);
    function toString(uint256 value) external pure returns (string memory);
    function assertTrue(bool condition) external pure;
    function assertTrue(bool condition, string calldata why) external pure;
    function assertFalse(bool condition) external pure;
    function assertEq(bool left, bool right, string calldata why) external pure;
    function assertEq(uint256 left, uint256 right) external pure;
    function assertEq(uint256 left, uint256 right, string calldata why) external pure;
    function assertEq(address left, address right) external pure;
    function assertEq(bytes32 left, bytes32 right) external pure;
    function assertEq(bytes calldata left, bytes calldata right) external pure;
}

/// @notice What every test starts from: an escrow, a token, four parties with keys, and the typed messages, restated
/// here from the interface's words so that a slip in the contract shows.
abstract contract Base {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    bytes32 internal constant ORDER_TYPEHASH = keccak256(
        "Order(address token,uint128 amount,uint128 fee,address feeRecipient,address seller,address buyer,"
        "address coordinator,address arbitrator,uint64 payBy,uint32 refundWindow,uint32 rulingWindow,"
        "uint32 finalWindow,uint16 defaultBuyerBps,uint64 salt)"
    );
    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    uint256 internal constant START = 1_800_000_000;
    uint256 internal constant FOREVER = type(uint256).max;
    uint128 internal constant AMOUNT = 1_000e6;
    uint128 internal constant FEE = 10e6;

    uint256 internal constant SELLER = 1;
    uint256 internal constant BUYER = 2;
    uint256 internal constant COORDINATOR = 4;
    uint256 internal constant ARBITRATOR = 8;

    address internal constant NOBODY = address(0xB0B0);
    address internal constant TREASURY = address(0xFEE);

    Escrow internal escrow;
    TetherMock internal token;
    address internal seller = vm.addr(keyOf(Role.Seller));
    address internal buyer = vm.addr(keyOf(Role.Buyer));
    address internal coordinator = vm.addr(keyOf(Role.Coordinator));
    address internal arbitrator = vm.addr(keyOf(Role.Arbitrator));

    function setUp() public virtual {
        vm.warp(START);
        escrow = new Escrow();
        token = new TetherMock(1e30, 6);
    }

    function makeOrder() internal view returns (Order memory) {
        return Order({
            token: address(token),
            amount: AMOUNT,
            fee: FEE,
            feeRecipient: TREASURY,
            seller: seller,
            buyer: buyer,
            coordinator: coordinator,
            arbitrator: arbitrator,
            payBy: uint64(START + 1_000),
            refundWindow: 500,
            rulingWindow: 300,
            finalWindow: 850,
            defaultBuyerBps: 3_333,
            salt: 1
        });
    }

    /// The usual order, its vault filled.
    function fundedOrder() internal returns (Order memory order) {
        order = makeOrder();
        token.transfer(vaultOf(order), order.amount);
    }

    /// The usual order, settled by a refund.
    function settledOrder() internal returns (Order memory order) {
        order = fundedOrder();
        settle(order, 0, BUYER | COORDINATOR);
    }

    function keyOf(Role role) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("key of", role)));
    }

    function orderIdOf(Order memory order) internal view returns (bytes32) {
        return typed(keccak256(abi.encode(ORDER_TYPEHASH, order)));
    }

    function vaultOf(Order memory order) internal view returns (address) {
        bytes memory code = abi.encodePacked(
            hex"60278060095f395ff3365f5f37365f365f365f73", address(escrow), hex"5af4602557fd5bf3"
        );
        bytes32 hash = keccak256(abi.encodePacked(hex"ff", address(escrow), orderIdOf(order), keccak256(code)));
        return address(uint160(uint256(hash)));
    }

    function typed(bytes32 structHash) internal view returns (bytes32) {
        return typedFor(address(escrow), structHash);
    }

    function typedFor(address verifier, bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(DOMAIN_TYPEHASH, keccak256("OTC Escrow"), keccak256("1"), block.chainid, verifier)
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function settlementDigest(bytes32 orderId, uint256 toBuyer, uint256 validUntil) internal view returns (bytes32) {
        bytes32 typehash = keccak256("Settlement(bytes32 orderId,uint256 toBuyer,uint256 validUntil)");
        return typed(keccak256(abi.encode(typehash, orderId, toBuyer, validUntil)));
    }

    function disputeDigest(Order memory order) internal view returns (bytes32) {
        return typed(keccak256(abi.encode(keccak256("Dispute(bytes32 orderId)"), orderIdOf(order))));
    }

    function refundRequestDigest(Order memory order) internal view returns (bytes32) {
        return typed(keccak256(abi.encode(keccak256("RefundRequest(bytes32 orderId)"), orderIdOf(order))));
    }

    function claimToDigest(Order memory order, address owner, address to, uint256 validUntil)
        internal
        view
        returns (bytes32)
    {
        bytes32 typehash = keccak256("ClaimTo(bytes32 orderId,address owner,address to,uint256 validUntil)");
        return typed(keccak256(abi.encode(typehash, orderIdOf(order), owner, to, validUntil)));
    }

    function sign(Role role, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(role), digest);
        return abi.encodePacked(r, s, v);
    }

    /// The signatures of every role in the set `roles`.
    function signatures(Order memory order, uint256 toBuyer, uint256 validUntil, uint256 roles)
        internal
        view
        returns (bytes memory made)
    {
        return signaturesOver(settlementDigest(orderIdOf(order), toBuyer, validUntil), roles);
    }

    function signaturesOver(bytes32 digest, uint256 roles) internal pure returns (bytes memory made) {
        for (uint256 i; i < 4; ++i) {
            if (roles & (1 << i) != 0) made = abi.encodePacked(made, one(Role(i), sign(Role(i), digest)));
        }
    }

    function one(Role role, bytes memory data) internal pure returns (bytes memory made) {
        return abi.encodePacked(uint8(role), uint16(data.length), data);
    }

    /// Settles by the signatures of `roles`; nobody sends it.
    function settle(Order memory order, uint256 toBuyer, uint256 roles) internal returns (bytes32) {
        bytes memory signed = signatures(order, toBuyer, FOREVER, roles);
        vm.prank(NOBODY);
        return escrow.settle(order, toBuyer, FOREVER, signed);
    }

    /// As `settle`, and expects it to fail with `reason`.
    function refuse(Order memory order, uint256 toBuyer, uint256 roles, bytes memory reason) internal {
        bytes memory signed = signatures(order, toBuyer, FOREVER, roles);
        vm.expectRevert(reason);
        vm.prank(NOBODY);
        escrow.settle(order, toBuyer, FOREVER, signed);
    }

    /// How many of these events there were since `vm.recordLogs`, and the data of the last.
    function emitted(bytes32 topic) internal returns (uint256 count, bytes memory data) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == topic) (count, data) = (count + 1, logs[i].data);
        }
    }

    /// From here on the role's account runs `code` (EIP-7702), by an authorization that its key signs.
    function delegate(Role role, address code) internal {
        vm.setEvmVersion("prague");
        vm.signAndAttachDelegation(code, keyOf(role));
        vm.assertEq(vm.addr(keyOf(role)).code, abi.encodePacked(hex"ef0100", code));
    }

    function requestRefund(Order memory order) internal {
        vm.prank(order.seller);
        escrow.requestRefund(order, "");
    }

    function dispute(Order memory order) internal {
        vm.prank(order.buyer);
        escrow.dispute(order, Role.Buyer, "");
    }
}
