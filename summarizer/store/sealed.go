package store

import "time"

// SealedFiles returns the sealed key files that the servers share, by their paths
// below the data folder.
func (t *Tx) SealedFiles() (map[string][]byte, error) {
	all := map[string][]byte{}
	err := t.each(`SELECT name, sealed FROM sealed_files`, nil, func(scan func(...any) error) error {
		var name string
		var sealed []byte
		if err := scan(&name, &sealed); err != nil {
			return err
		}
		all[name] = sealed
		return nil
	})
	return all, err
}

// InsertSealedFile adds one; it is never changed. ErrExists where there is one of
// that name.
func (t *Tx) InsertSealedFile(name string, sealed []byte, at time.Time) error {
	n, err := t.exec(`INSERT INTO sealed_files (name, sealed, made_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING`, name, sealed, ns(at))
	if err == nil && n == 0 {
		return ErrExists
	}
	return err
}
