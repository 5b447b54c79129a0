// Package censor reads the connections of users as censors of today do, for the drill:
// docs/drill has its reports.
//
//	read.go    what the first bytes of a connection are, and words in all others
//	proxy.go   a proxy in the way of every connection: it splices, counts and cuts
//	probe.go   questions to addresses that users connect to: is this a web server?
//
// Counting of packets and addresses alone (curtain, police, blocked addresses) is the affair of
// the engines of testnets.
package censor

import (
	"bytes"
	"math/bits"
)

// A Kind is a protocol, by the first bytes of a connection.
type Kind int

// Unknown is all the rest.
const (
	Unknown Kind = iota
	TLS
	HTTP
	DNS
)

func (k Kind) String() string { return [...]string{"unknown", "TLS", "HTTP", "DNS"}[k] }

// enough is how many first bytes of a connection are looked at together.
const enough = 16

var methods = []string{"GET ", "HEAD ", "POST ", "PUT ", "OPTIONS ", "DELETE ", "PATCH ", "TRACE ", "CONNECT ", "PRI "}

// KindOf returns the protocol with these first bytes of a client, or of a server.
func KindOf(first []byte) Kind {
	switch {
	case isTLS(first):
		return TLS
	case bytes.HasPrefix(first, []byte("HTTP/")):
		return HTTP
	case isDNS(first):
		return DNS
	}
	for _, m := range methods {
		if bytes.HasPrefix(first, []byte(m)) {
			return HTTP
		}
	}
	return Unknown
}

// isTLS: a record of at most 2^14+256 bytes, with a hello of a handshake, or an alert.
func isTLS(b []byte) bool {
	if len(b) < 6 || b[0] != 22 && b[0] != 21 || b[1] != 3 || b[2] > 4 {
		return false
	}
	size := int(b[3])<<8 | int(b[4])
	if size == 0 || size > 1<<14+256 {
		return false
	}
	return b[0] == 21 || b[5] == 1 || b[5] == 2
}

// isDNS: a question over TCP, one and no answer.
func isDNS(b []byte) bool {
	if len(b) < 14 {
		return false
	}
	size := int(b[0])<<8 | int(b[1])
	return size >= 17 && size < 600 && b[4]&0xf8 == 0 && b[6] == 0 && b[7] == 1 && b[8] == 0 && b[9] == 0
}

// Words are those that no stranger's connection has in it. A gigabyte of ciphertext has
// one of them in it by chance once in fourteen times.
var Words = []string{"libp2p", "noise", "multistream", "starling", "yamux", "meshsub", "/ipfs/", "/kad/"}

// longest is the length of the longest of the Words.
var longest = func() (n int) {
	for _, w := range Words {
		n = max(n, len(w))
	}
	return n
}()

// A scan looks for Words in the bytes of one direction.
type scan struct{ tail []byte }

// find returns the first word in the next bytes, also if it is cut in two. Cases are alike.
func (s *scan) find(b []byte) string {
	all := bytes.ToLower(append(s.tail, b...))
	s.tail = bytes.Clone(all[max(0, len(all)-longest+1):])
	for _, w := range Words {
		if bytes.Contains(all, []byte(w)) {
			return w
		}
	}
	return ""
}

// The rules by which a censor of 2021 to 2023 told random bytes from all others, as
// published ("How the Great Firewall of China Detects and Blocks Fully Encrypted
// Traffic", USENIX Security 2023): a first packet is let through if one of them holds.
const (
	fewOnes, manyOnes = 3.4, 4.6 // bits set in a byte, on average: at most, at least
	printedFirst      = 6        // so many printable bytes at the beginning
	printedPart       = 0.5      // more than this part is printable
	printedRun        = 20       // more than so many are, in a row
)

// Random reports whether the rules take a first packet for random bytes.
func Random(first []byte) bool {
	if len(first) == 0 || KindOf(first) == TLS || KindOf(first) == HTTP {
		return false
	}
	ones, printed, run, longest, head := 0, 0, 0, 0, 0
	for i, b := range first {
		ones += bits.OnesCount8(b)
		if b < 0x20 || b > 0x7e {
			run = 0
			continue
		}
		printed++
		run++
		longest = max(longest, run)
		if printed == i+1 {
			head = printed
		}
	}

	mean := float64(ones) / float64(len(first))
	switch {
	case mean <= fewOnes || mean >= manyOnes:
	case head >= printedFirst:
	case float64(printed) > printedPart*float64(len(first)):
	case longest > printedRun:
	default:
		return true
	}
	return false
}
