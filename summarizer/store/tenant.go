package store

// The only look-ups across companies: from a secret or an id that somebody
// brought to the company that it belongs to. Everything else names its company.

// CompanyOfModule is the company of a module, or ErrNotFound.
func (t *Tx) CompanyOfModule(id string) (company string, err error) {
	err = t.one(`SELECT company FROM modules WHERE id = $1`, []any{id}, &company)
	return company, err
}

// CompanyOfOpening is the company of a module that waits for a supporter, or ErrNotFound.
func (t *Tx) CompanyOfOpening(id string) (company string, err error) {
	err = t.one(`SELECT company FROM openings WHERE id = $1`, []any{id}, &company)
	return company, err
}

// CompanyOfDevice is the company of a device, or ErrNotFound.
func (t *Tx) CompanyOfDevice(id string) (company string, err error) {
	err = t.one(`SELECT company FROM devices WHERE id = $1`, []any{id}, &company)
	return company, err
}

// SettingsVersions are the versions of all companies' settings, by company.
func (t *Tx) SettingsVersions() (versions map[string]int64, err error) {
	versions = map[string]int64{}
	err = t.each(`SELECT id, settings_version FROM companies`, nil, func(scan func(...any) error) error {
		var id string
		var v int64
		if err := scan(&id, &v); err != nil {
			return err
		}
		versions[id] = v
		return nil
	})
	return versions, err
}
