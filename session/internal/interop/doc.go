// Package interop compares the session's parts with an implementation that
// shares no line with them: the npm package @signalapp/libsignal-client, asked
// questions in a process of its own. It is AGPL-3.0 and is therefore never linked,
// shipped or read; behaviour is compared. The package holds tests only.
//
// The suite of constants and the wire format are those of that program: PQXDH
// with X25519 and round-3 Kyber-1024, the Double Ratchet without header
// encryption, 8-byte MACs, and the Sparse Post-Quantum Ratchet over the same
// ML-KEM Braid as ours. The key schedule of the Double Ratchet (package
// doubleratchet), the Braid, the erasure code, the incremental ML-KEM, the
// chains, and the keys' encoding and agreement are the code that Starling runs;
// only labels and the encoding of messages differ. That header encryption
// changes none of the keys compared here is tested in session/ratchet.
//
// A run asks the oracle for a conversation of random order, with losses,
// repetitions and forgeries, in both roles. Its questions and answers are
// recorded in testdata, and the tests play them back without the oracle: with
// the same randomness our end has to ask the same questions, byte for byte, and
// to understand the same answers.
//
// make interop installs the oracle in testdata/libsignal and asks it; make
// interop-bench measures it beside a session. To record anew:
//
//	go test ./session/internal/interop -run Transcripts -record
package interop
