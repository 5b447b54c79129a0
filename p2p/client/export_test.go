package client

import "time"

// NewCurious makes a client that asks relays through the mixes often.
func NewCurious(cfg Config) (*Client, error) {
	t := timings(cfg.AllowPrivate)
	t.far = 100 * time.Millisecond
	return newClient(cfg, t)
}

// NewForgetful makes a client that remembers few reply blocks, so that boxes pushed
// through older ones are lost, and polls often.
func NewForgetful(cfg Config, replies int, poll time.Duration) (*Client, error) {
	t := timings(cfg.AllowPrivate)
	t.replies, t.poll, t.pollShare = replies, poll, 0
	return newClient(cfg, t)
}
