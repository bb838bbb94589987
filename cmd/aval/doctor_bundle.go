package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"
)

// bundle writes what a helpdesk needs into one new file that only its maker can
// read: what doctor found, and what the system is. Nothing that was captured is
// in it, and no decision: those name people.
func (a *app) bundle(path string, c *checkup, report any, page []byte) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(fmt.Errorf("write bundle: %w", err), os.Remove(path))
		}
	}()
	doctor, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	// Of the status nothing that is about single sessions.
	s := c.status
	s.Guests = nil
	status, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	policy, err := json.MarshalIndent(c.policy, "", "  ")
	if err != nil {
		return err
	}
	system, err := json.MarshalIndent(map[string]string{
		"aval": version, "go": runtime.Version(), "system": runtime.GOOS + "/" + runtime.GOARCH, "release": release(), "at": c.now.UTC().Format(time.RFC3339),
	}, "", "  ")
	if err != nil {
		return err
	}
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	files := map[string][]byte{"doctor.txt": page, "doctor.json": doctor, "status.json": status, "policy.json": policy, "system.json": system}
	if raw, err := os.ReadFile(shippedList); err == nil {
		files["shipped.txt"] = raw
	}
	var names []string
	for n := range files {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		body := files[n]
		if !bytes.HasSuffix(body, []byte("\n")) {
			body = append(body, '\n')
		}
		if err := w.WriteHeader(&tar.Header{Name: "aval-doctor/" + n, Mode: 0o600, Size: int64(len(body)), ModTime: c.now.Truncate(time.Second)}); err != nil {
			return err
		}
		if _, err := w.Write(body); err != nil {
			return err
		}
	}
	return errors.Join(w.Close(), z.Close())
}
