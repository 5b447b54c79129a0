package store

import (
	"encoding/json"

	"starling/node/api"
)

// OwnerTable holds the owner: name, settings, the state of the network.
type OwnerTable struct{ tx *Tx }

// Owner returns the name that contacts are told.
func (t OwnerTable) Owner() (string, error) {
	return one(t.tx, func(r Row) string { return string(r.Blob(0)) },
		`SELECT value FROM meta WHERE key = 'owner'`)
}

// SetOwner sets the name that contacts are told.
func (t OwnerTable) SetOwner(name string) error {
	return t.tx.exec(`INSERT INTO meta(key, value) VALUES('owner', ?)
		ON CONFLICT(key) DO UPDATE SET value = excluded.value`, []byte(name))
}

const settingsKey = "settings"

// Settings returns the owner's choices.
func (t OwnerTable) Settings() (api.Settings, error) {
	set := api.Settings{Notify: api.NotifyHidden}
	raw, err := one(t.tx, func(r Row) []byte { return r.Blob(0) }, `SELECT value FROM meta WHERE key = ?`, settingsKey)
	if err == ErrNotFound {
		return set, nil
	}
	if err != nil {
		return set, err
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return set, &DamagedError{"profile.db", err}
	}
	return set, nil
}

// SetSettings replaces the owner's choices.
func (t OwnerTable) SetSettings(set api.Settings) error {
	raw, err := json.Marshal(set)
	if err != nil {
		return err
	}
	return t.tx.exec(`INSERT INTO meta(key, value) VALUES(?, ?)
		ON CONFLICT(key) DO UPDATE SET value = excluded.value`, settingsKey, raw)
}

const networkKey = "network"

// NetworkState returns the state that the network last asked to keep, nil if none.
func (t OwnerTable) NetworkState() ([]byte, error) {
	type row struct {
		sealed  []byte
		version int64
	}
	r, err := one(t.tx, func(r Row) row { return row{r.Blob(0), r.Int(1)} },
		`SELECT sealed, version FROM meta WHERE key = ?`, networkKey)
	if err == ErrNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return t.tx.unseal("meta", []byte(networkKey), r.version, r.sealed)
}

// SetNetworkState keeps guards and known relays for the next start.
func (t OwnerTable) SetNetworkState(state []byte) error {
	version, err := t.tx.number(`SELECT version FROM meta WHERE key = ?`, networkKey)
	if err != nil {
		return err
	}
	version++
	return t.tx.exec(`INSERT INTO meta(key, sealed, version) VALUES(?1, ?2, ?3)
		ON CONFLICT(key) DO UPDATE SET sealed = ?2, version = ?3`,
		networkKey, t.tx.seal("meta", []byte(networkKey), version, state), version)
}
