package store

// Owner returns the name that contacts are told.
func (tx *Tx) Owner() (string, error) {
	return one(tx, func(r Row) string { return string(r.Blob(0)) },
		`SELECT value FROM meta WHERE key = 'owner'`)
}

// SetOwner sets the name that contacts are told.
func (tx *Tx) SetOwner(name string) error {
	return tx.exec(`INSERT INTO meta(key, value) VALUES('owner', ?)
		ON CONFLICT(key) DO UPDATE SET value = excluded.value`, []byte(name))
}

const networkKey = "network"

// NetworkState returns what the network last asked to keep, nil if nothing.
func (tx *Tx) NetworkState() ([]byte, error) {
	type row struct {
		sealed  []byte
		version int64
	}
	r, err := one(tx, func(r Row) row { return row{r.Blob(0), r.Int(1)} },
		`SELECT sealed, version FROM meta WHERE key = ?`, networkKey)
	if err == ErrNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return tx.unseal("meta", []byte(networkKey), r.version, r.sealed)
}

// SetNetworkState keeps guards and known relays for the next start.
func (tx *Tx) SetNetworkState(state []byte) error {
	version, err := tx.number(`SELECT version FROM meta WHERE key = ?`, networkKey)
	if err != nil {
		return err
	}
	version++
	return tx.exec(`INSERT INTO meta(key, sealed, version) VALUES(?1, ?2, ?3)
		ON CONFLICT(key) DO UPDATE SET sealed = ?2, version = ?3`,
		networkKey, tx.seal("meta", []byte(networkKey), version, state), version)
}
