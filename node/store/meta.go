package store

import (
	"encoding/json"

	"starling/node/api"
	"starling/node/api/safetext"
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
	set := api.Settings{Notify: api.NotifyHidden, Theme: api.Themes[0]}
	owner, err := t.Owner()
	if err != nil && err != ErrNotFound {
		return set, err
	}
	set.Name = safetext.Line(owner)
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
	set.Name = safetext.Line(owner)
	return set, nil
}

// SetSettings replaces the owner's choices, but for the name: see SetOwner.
func (t OwnerTable) SetSettings(set api.Settings) error {
	set.Name = safetext.Text{}
	raw, err := json.Marshal(set)
	if err != nil {
		return err
	}
	return t.tx.exec(`INSERT INTO meta(key, value) VALUES(?, ?)
		ON CONFLICT(key) DO UPDATE SET value = excluded.value`, settingsKey, raw)
}

const networkKey = "network"

// NetworkState returns the state that the network last asked to keep, nil if none.
func (t OwnerTable) NetworkState() ([]byte, error) { return t.sealed(networkKey) }

// sealed returns a value that is sealed under the row key, nil if there is none.
func (t OwnerTable) sealed(key string) ([]byte, error) {
	type row struct {
		sealed  []byte
		version int64
	}
	r, err := one(t.tx, func(r Row) row { return row{r.Blob(0), r.Int(1)} },
		`SELECT sealed, version FROM meta WHERE key = ?`, key)
	if err == ErrNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return t.tx.unseal("meta", []byte(key), r.version, r.sealed)
}

// SetNetworkState keeps guards and known relays for the next start.
func (t OwnerTable) SetNetworkState(state []byte) error { return t.setSealed(networkKey, state) }

func (t OwnerTable) setSealed(key string, value []byte) error {
	version, err := t.tx.number(`SELECT version FROM meta WHERE key = ?`, key)
	if err != nil {
		return err
	}
	version++
	return t.tx.exec(`INSERT INTO meta(key, sealed, version) VALUES(?1, ?2, ?3)
		ON CONFLICT(key) DO UPDATE SET sealed = ?2, version = ?3`,
		key, t.tx.seal("meta", []byte(key), version, value), version)
}
