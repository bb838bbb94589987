package capture

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"aval/agent/plist"
)

// What macOS writes, read apart from the system so that it can be tried anywhere.

// maxArgs is how many arguments of a process are read.
const maxArgs = 4096

// parseProcArgs reads what sysctl(3) gives for KERN_PROCARGS2 (xnu,
// bsd/kern/kern_sysctl.c, sysctl_procargsx): the number of arguments in four bytes
// of the processor's order, the file's path, zero bytes, the arguments, each ended by
// a zero byte, and then the environment, which is not looked at.
func parseProcArgs(raw []byte) (file string, args []string) {
	if len(raw) < 5 {
		return "", nil
	}
	n := binary.LittleEndian.Uint32(raw)
	rest := raw[4:]
	end := bytes.IndexByte(rest, 0)
	if end <= 0 || n > maxArgs {
		return "", nil
	}
	file = string(rest[:end])
	rest = bytes.TrimLeft(rest[end:], "\x00")
	for range n {
		end := bytes.IndexByte(rest, 0)
		if end < 0 {
			break // cut off: what is whole counts
		}
		args = append(args, string(rest[:end]))
		rest = rest[end+1:]
	}
	return file, args
}

// receipt is one entry of the list of what was installed.
type receipt struct {
	at            time.Time
	name, version string
}

var errReceipts = errors.New("the list of what was installed is of another form")

// parseInstallHistory reads /Library/Receipts/InstallHistory.plist: an array of
// dictionaries with date, displayName, displayVersion, processName and
// packageIdentifiers (installer(8) and softwareupdate(8) write it; osquery's table
// package_install_history names the keys).
func parseInstallHistory(raw []byte) ([]receipt, error) {
	v, err := plist.Decode(raw, plist.Dates)
	if err != nil {
		return nil, fmt.Errorf("read what was installed: %w", err)
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("read what was installed: %w", errReceipts)
	}
	var out []receipt
	for _, v := range list {
		d, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("read what was installed: %w", errReceipts)
		}
		var r receipt
		r.at, _ = d["date"].(time.Time)
		r.name, _ = d["displayName"].(string)
		r.version, _ = d["displayVersion"].(string)
		if r.name != "" {
			out = append(out, r)
		}
	}
	return out, nil
}

// receiptChanges are the entries that are new. One whose name was there with another
// version is an upgrade; removals are not in that list.
func receiptChanges(before, now []receipt) []packageChange {
	var out []packageChange
	known := slices.Clone(before)
	for _, r := range now {
		if slices.Contains(before, r) {
			continue
		}
		c := packageChange{action: "installed", name: r.name, version: r.version}
		for _, k := range known {
			if k.name == r.name && k.version != r.version {
				c.action, c.before = "upgraded", k.version // the last one counts
			}
		}
		known = append(known, r)
		out = append(out, c)
	}
	return out
}

// logLine is one line of `log stream --style ndjson` (log(1)).
type logLine struct {
	Timestamp string `json:"timestamp"`
	Process   string `json:"processImagePath"`
	Message   string `json:"eventMessage"`
	Type      string `json:"messageType"`
}

// parseLogLine reads one; ok: it is a message of the kind that is asked for.
func parseLogLine(line string) (at time.Time, program, text string, ok bool) {
	var l logLine
	if len(line) > 64<<10 || json.Unmarshal([]byte(line), &l) != nil || !strings.EqualFold(l.Type, "fault") || l.Process == "" {
		return time.Time{}, "", "", false // the first line says by which words it is filtered
	}
	at, err := time.Parse("2006-01-02 15:04:05.999999-0700", l.Timestamp)
	if err != nil {
		return time.Time{}, "", "", false
	}
	return at.UTC(), path.Base(l.Process), l.Message, true
}
