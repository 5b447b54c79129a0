// Package vectors checks the primitives under session, as session uses them,
// against published test vectors: those of the RFCs in testdata/rfc.json, and
// groups of Wycheproof (github.com/c2sp/wycheproof, v1, Apache License 2.0)
// without what the tests do not read. Of the large ML-KEM files a few tests of
// each kind are kept; of the others, all.
package vectors
