// Package vectors holds test vectors and checks the primitives under session, as
// session uses them, against published ones: those of the RFCs in testdata/rfc.json,
// and groups of Wycheproof (github.com/c2sp/wycheproof, v1, Apache License 2.0) without
// the parts that the tests do not read. Of the large ML-KEM files a few tests of each
// kind are kept; of the others, all. Here too are the primitives that p2p/outfox and
// node/store use: HPKE, ChaCha20-Poly1305 and XChaCha20-Poly1305, Argon2id.
//
// Our own vectors are in docs/vectors.
package vectors
