package store

import (
	"encoding/json"
	"time"
)

const bridgesKey = "bridges"

// A Bridge is the link of a bridge that the owner took.
type Bridge struct {
	Link  string    `json:"link"`
	Added time.Time `json:"added"`
}

// Bridges returns those of the profile, in the order in which they were added.
func (t OwnerTable) Bridges() (all []Bridge, err error) {
	raw, err := t.sealed(bridgesKey)
	if err != nil || raw == nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, &DamagedError{"profile.db", err}
	}
	return all, nil
}

// SetBridges replaces them.
func (t OwnerTable) SetBridges(all []Bridge) error {
	raw, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return t.setSealed(bridgesKey, raw)
}
