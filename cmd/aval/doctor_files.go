package main

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"aval/agent/service"
	"aval/cmd/internal/command"
)

// shippedList is what a package writes down of its own files (installer/build):
// a line for each, "SHA256 MODE GROUP PATH". It shows what was changed or damaged
// since; whether the package itself is genuine is shown by its signature.
const shippedList = service.ShippedList

// maxShipped bounds that list, in lines.
const maxShipped = 1000

// shipped is one file as it was packed.
type shipped struct {
	sum, group, path string
	mode             uint32
}

func readShipped(path string) ([]shipped, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []shipped
	for sc := bufio.NewScanner(f); sc.Scan(); {
		part := strings.SplitN(sc.Text(), " ", 4)
		if len(part) != 4 || len(out) >= maxShipped {
			return nil, fmt.Errorf("%s is not what the package wrote", path)
		}
		mode, err := strconv.ParseUint(part[1], 8, 16)
		if err != nil {
			return nil, fmt.Errorf("%s is not what the package wrote", path)
		}
		out = append(out, shipped{part[0], part[2], part[3], uint32(mode)})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s is empty", path)
	}
	return out, nil
}

// checkFiles compares what is installed with what was packed.
func checkFiles(*checkup) []command.Finding { return compareFiles(shippedList) }

func compareFiles(list string) []command.Finding {
	all, err := readShipped(list)
	if errors.Is(err, fs.ErrNotExist) {
		return command.Found(command.StateNote, "Aval was not installed by a package, so its files are compared with nothing")
	}
	if err != nil {
		return command.Found(command.StateWrong, err.Error(), reinstall)
	}
	var out []command.Finding
	for _, s := range all {
		if why := s.compare(); why != "" {
			out = append(out, command.Finding{State: command.StateWrong, Found: s.path + ": " + why, Do: []string{reinstall}})
		}
	}
	if len(out) == 0 {
		return command.Found(command.StateOK, fmt.Sprintf("%d files are as they were packed", len(all)))
	}
	return out
}

// compare tells what is not as it was packed; empty: nothing.
func (s shipped) compare() string {
	fi, err := os.Lstat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if strings.HasPrefix(s.path, "/usr/share/doc/") || strings.HasPrefix(s.path, "/usr/share/man/") {
			return "" // many leave these out
		}
		return "it is missing"
	case err != nil:
		return err.Error()
	case !fi.Mode().IsRegular():
		return "it is no regular file"
	}
	if owner, group, mode := ownership(fi); owner != "root" || group != s.group || mode != s.mode {
		return fmt.Sprintf("it belongs to %s:%s with mode %o, and was packed as root:%s with %o", cmp.Or(owner, "?"), cmp.Or(group, "?"), mode, s.group, s.mode)
	}
	f, err := os.Open(s.path)
	if errors.Is(err, fs.ErrPermission) {
		return ""
	}
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err.Error()
	}
	if hex.EncodeToString(h.Sum(nil)) != s.sum {
		return "it was changed since it was packed"
	}
	return ""
}

// checkTroubles shows the last errors of the service.
func checkTroubles(c *checkup) []command.Finding {
	if c.dial != nil {
		return nil
	}
	var out []command.Finding
	for _, t := range c.status.Troubles {
		out = append(out, command.Finding{State: command.StateNote, Found: fmt.Sprintf("%s %s %s", t.At.Local().Format("2006-01-02 15:04:05"), t.Level, t.Text)})
	}
	if len(out) == 0 {
		return command.Found(command.StateOK, "no warning in the last 24 hours, as far as this user may see")
	}
	return out
}
