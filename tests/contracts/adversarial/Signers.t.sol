// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order, Role, State} from "../../../contracts/interfaces/IEscrow.sol";
import {ContractSigner} from "../../../contracts/mocks/ContractSigner.sol";
import {Base} from "../Base.sol";
import {OddToken} from "./OddToken.sol";
import {AnsweringWallet, BurningWallet, PlainDelegate, ReenteringWallet, RevertingWallet} from "./Wallets.sol";

interface ISafe {
    function setup(
        address[] calldata owners,
        uint256 threshold,
        address to,
        bytes calldata data,
        address fallbackHandler,
        address paymentToken,
        uint256 payment,
        address payable paymentReceiver
    ) external;
}

/// @notice Every kind of account signs every kind of message; wallets that misbehave sign nothing and stop nobody.
contract SignersTest is Base {
    string private constant SAFE = "node_modules/@safe-global/safe-smart-account/build/artifacts/contracts/";
    uint256 private constant GAS = 30_000_000;

    enum Kind {
        Key,
        CompactKey,
        DelegatedWithout1271,
        DelegatedWith1271,
        Contract,
        Safe
    }

    uint64 private salt;

    // The kinds

    /// An account of this kind for `role`, in the order's terms.
    function seat(Order memory order, Role role, Kind kind) private {
        address key = vm.addr(keyOf(role));
        address account = key;
        if (kind == Kind.DelegatedWithout1271) vm.etch(key, address(new PlainDelegate()).code);
        // The code takes another key's signatures, too: here the account's own is used.
        if (kind == Kind.DelegatedWith1271) vm.etch(key, address(new ContractSigner(NOBODY)).code);
        if (kind == Kind.Contract) account = address(new ContractSigner(key));
        if (kind == Kind.Safe) account = panel(role);
        if (role == Role.Seller) order.seller = account;
        if (role == Role.Buyer) order.buyer = account;
        if (role == Role.Coordinator) order.coordinator = account;
        if (role == Role.Arbitrator) order.arbitrator = account;
    }

    function signAs(Kind kind, address account, Role role, bytes32 digest) private view returns (bytes memory) {
        if (kind == Kind.CompactKey) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(role), digest);
            return abi.encodePacked(r, bytes32(uint256(s) | (uint256(v - 27) << 255)));
        }
        return kind == Kind.Safe ? byPanel(account, role, digest, 0, 2) : sign(role, digest);
    }

    /// A Safe of three, two of whom sign.
    function panel(Role role) private returns (address safe) {
        address singleton = vm.deployCode(string.concat(SAFE, "Safe.sol/Safe.json"));
        address handler = vm.deployCode(
            string.concat(SAFE, "handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler.json")
        );
        safe = vm.deployCode(string.concat(SAFE, "proxies/SafeProxy.sol/SafeProxy.json"), abi.encode(singleton));
        address[] memory owners = new address[](3);
        for (uint256 i; i < 3; ++i) {
            owners[i] = vm.addr(memberKey(role, i));
        }
        ISafe(safe).setup(owners, 2, address(0), "", handler, address(0), 0, payable(0));
    }

    function memberKey(Role role, uint256 i) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(role, i)));
    }

    /// The Safe's message signed by members `first` to `last`, in the order of their addresses as a Safe wants it.
    function byPanel(address safe, Role role, bytes32 digest, uint256 first, uint256 last)
        private
        view
        returns (bytes memory made)
    {
        bytes32 domain = keccak256(
            abi.encode(keccak256("EIP712Domain(uint256 chainId,address verifyingContract)"), block.chainid, safe)
        );
        bytes32 message = keccak256(abi.encode(keccak256("SafeMessage(bytes message)"), keccak256(abi.encode(digest))));
        bytes32 hash = keccak256(abi.encodePacked(hex"1901", domain, message));
        uint256 least;
        for (uint256 n = first; n < last; ++n) {
            uint256 next = nextKey(role, least, first, last);
            least = uint160(vm.addr(next));
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(next, hash);
            made = abi.encodePacked(made, r, s, v);
        }
    }

    /// Key of the member whose address is the lowest above `least`.
    function nextKey(Role role, uint256 least, uint256 first, uint256 last) private pure returns (uint256 key) {
        uint256 best = FOREVER;
        for (uint256 i = first; i < last; ++i) {
            uint256 account = uint160(vm.addr(memberKey(role, i)));
            if (account > least && account < best) (best, key) = (account, memberKey(role, i));
        }
    }

    // Every kind, every message

    function test_everyKindSignsEveryMessage() external {
        for (uint256 i; i < 6; ++i) {
            Kind kind = Kind(i);
            uint256 before = vm.snapshotState();
            settles(kind);
            vm.revertToState(before);
            asksForARefund(kind);
            vm.revertToState(before);
            disputesAndIsRuledUpon(kind);
            vm.revertToState(before);
            consentsToAClaim(kind);
            vm.revertToState(before);
        }
    }

    function fill(Order memory order) private {
        order.salt = ++salt;
        token.transfer(vaultOf(order), AMOUNT);
    }

    function settles(Kind kind) private {
        Order memory order = makeOrder();
        seat(order, Role.Seller, kind);
        seat(order, Role.Coordinator, kind);
        fill(order);
        bytes32 digest = settlementDigest(orderIdOf(order), AMOUNT, FOREVER);
        bytes memory signed = abi.encodePacked(
            one(Role.Seller, signAs(kind, order.seller, Role.Seller, digest)),
            one(Role.Coordinator, signAs(kind, order.coordinator, Role.Coordinator, digest))
        );
        escrow.settle(order, AMOUNT, FOREVER, signed);
        vm.assertEq(token.balanceOf(buyer), AMOUNT - FEE);
    }

    function asksForARefund(Kind kind) private {
        Order memory order = makeOrder();
        seat(order, Role.Seller, kind);
        fill(order);
        vm.warp(order.payBy);
        bytes memory signature = signAs(kind, order.seller, Role.Seller, refundRequestDigest(order));
        escrow.requestRefund(order, signature);
        vm.assertEq(escrow.stateOf(orderIdOf(order)).refundRequestedAt, order.payBy);
    }

    function disputesAndIsRuledUpon(Kind kind) private {
        Order memory order = makeOrder();
        seat(order, Role.Buyer, kind);
        seat(order, Role.Arbitrator, kind);
        fill(order);
        escrow.dispute(order, Role.Buyer, signAs(kind, order.buyer, Role.Buyer, disputeDigest(order)));
        bytes32 digest = settlementDigest(orderIdOf(order), AMOUNT, FOREVER);
        bytes memory signed = abi.encodePacked(
            one(Role.Buyer, signAs(kind, order.buyer, Role.Buyer, digest)),
            one(Role.Arbitrator, signAs(kind, order.arbitrator, Role.Arbitrator, digest))
        );
        escrow.settle(order, AMOUNT, FOREVER, signed);
        vm.assertEq(token.balanceOf(order.buyer), AMOUNT - FEE);
    }

    function consentsToAClaim(Kind kind) private {
        OddToken odd = new OddToken(6);
        Order memory order = makeOrder();
        seat(order, Role.Coordinator, kind);
        (order.token, order.salt) = (address(odd), ++salt);
        odd.mint(vaultOf(order), AMOUNT);
        odd.turn(OddToken.Way.FreezesRecipient, buyer);
        settle(order, AMOUNT, SELLER | BUYER);
        bytes32 digest = claimToDigest(order, buyer, NOBODY, FOREVER);
        bytes memory signature = signAs(kind, order.coordinator, Role.Coordinator, digest);
        vm.prank(buyer);
        escrow.claim(order, NOBODY, FOREVER, signature);
        vm.assertEq(odd.balanceOf(NOBODY), AMOUNT - FEE);
    }

    // A panel is as strong as its threshold

    function test_oneOfThreeIsNoPanel() external {
        Order memory order = makeOrder();
        seat(order, Role.Arbitrator, Kind.Safe);
        fill(order);
        dispute(order);
        bytes32 digest = settlementDigest(orderIdOf(order), AMOUNT, FOREVER);
        bytes memory buyers = one(Role.Buyer, sign(Role.Buyer, digest));
        bytes memory alone = byPanel(order.arbitrator, Role.Arbitrator, digest, 0, 1);
        bytes memory invalid =
            abi.encodeWithSelector(IEscrow.InvalidSignature.selector, Role.Arbitrator, order.arbitrator, digest);
        vm.expectRevert(invalid);
        escrow.settle(order, AMOUNT, FOREVER, bytes.concat(buyers, one(Role.Arbitrator, alone)));
        bytes memory others = byPanel(order.arbitrator, Role.Buyer, digest, 0, 2);
        vm.expectRevert(invalid);
        escrow.settle(order, AMOUNT, FOREVER, bytes.concat(buyers, one(Role.Arbitrator, others)));
        bytes memory two = byPanel(order.arbitrator, Role.Arbitrator, digest, 1, 3);
        escrow.settle(order, AMOUNT, FOREVER, bytes.concat(buyers, one(Role.Arbitrator, two)));
    }

    // Wallets that misbehave

    function test_badWalletsSignNothingAndStopNobody() external {
        bytes4 magic = 0x1626ba7e;
        bytes[7] memory answers = [
            bytes(""),
            abi.encodePacked(magic),
            abi.encodePacked(magic, bytes27(0)),
            abi.encodePacked(magic, bytes27(0), hex"01"),
            abi.encode(uint256(uint32(magic))),
            abi.encode(true),
            new bytes(50_000)
        ];
        for (uint256 i; i < answers.length; ++i) {
            signsNothing(address(new AnsweringWallet(answers[i])));
        }
        signsNothing(address(new RevertingWallet()));
        signsNothing(address(new BurningWallet()));
        Order memory order = makeOrder();
        order.seller = address(new AnsweringWallet(abi.encode(magic)));
        fill(order);
        vm.prank(coordinator);
        escrow.settle(order, AMOUNT, FOREVER, one(Role.Seller, ""));
    }

    /// As seller it signs neither settlement, refund request nor dispute; buyer and coordinator end the order.
    function signsNothing(address wallet) private {
        Order memory order = makeOrder();
        order.seller = wallet;
        fill(order);
        bytes32 digest = settlementDigest(orderIdOf(order), AMOUNT, FOREVER);
        refused(
            abi.encodeCall(escrow.settle, (order, AMOUNT, FOREVER, one(Role.Seller, hex"00"))), wallet, digest
        );
        refused(abi.encodeCall(escrow.dispute, (order, Role.Seller, hex"00")), wallet, disputeDigest(order));
        vm.warp(order.payBy);
        refused(abi.encodeCall(escrow.requestRefund, (order, hex"00")), wallet, refundRequestDigest(order));
        uint256 before = token.balanceOf(wallet);
        settle(order, 0, BUYER | COORDINATOR);
        vm.assertEq(token.balanceOf(wallet) - before, AMOUNT);
        vm.warp(START);
    }

    function refused(bytes memory call, address wallet, bytes32 digest) private {
        vm.prank(coordinator);
        (bool done, bytes memory reason) = address(escrow).call{gas: GAS}(call);
        vm.assertFalse(done);
        vm.assertEq(reason, abi.encodeWithSelector(IEscrow.InvalidSignature.selector, Role.Seller, wallet, digest));
    }

    /// While it is asked for its signature, a wallet may read the escrow but move nothing.
    function test_aWalletReadsButDoesNotReenter() external {
        ReenteringWallet wallet = new ReenteringWallet(address(escrow));
        Order memory other = makeOrder();
        fill(other);
        bytes memory all = signatures(other, AMOUNT, FOREVER, 15);
        wallet.callBack(abi.encodeCall(escrow.settle, (other, AMOUNT, FOREVER, all)));
        signsNothing(address(wallet));
        wallet.callBack(abi.encodeCall(escrow.dispute, (other, Role.Buyer, sign(Role.Buyer, disputeDigest(other)))));
        signsNothing(address(wallet));
        State memory state = escrow.stateOf(orderIdOf(other));
        vm.assertEq(state.disputedAt, 0);
    }
}
