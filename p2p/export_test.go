package p2p

import "time"

// NewForgetfulClient makes a client that remembers few reply blocks, so that
// what is pushed through older ones is lost, and polls often.
func NewForgetfulClient(cfg ClientConfig, replies int, poll time.Duration) (*Client, error) {
	t := timings(cfg.AllowPrivate)
	t.replies, t.poll, t.pollShare = replies, poll, 0
	return newClient(cfg, t)
}
