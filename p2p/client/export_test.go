package client

import "time"

// NewForgetful makes a client that remembers few reply blocks, so that
// what is pushed through older ones is lost, and polls often.
func NewForgetful(cfg Config, replies int, poll time.Duration) (*Client, error) {
	t := timings(cfg.AllowPrivate)
	t.replies, t.poll, t.pollShare = replies, poll, 0
	return newClient(cfg, t)
}
