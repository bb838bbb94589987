package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/summary/llm"
)

// errFound ends doctor with status 1 after its page has said what is wrong.
var errFound = errors.New("something is wrong")

// The states of a finding.
const (
	findOK    = "ok"
	findNote  = "note"  // worth knowing; nothing is broken
	findWrong = "wrong" // doctor ends with 1
)

// finding is what one check came to. Do says what to do.
type finding struct {
	Check string `json:"check"`
	State string `json:"state"`
	Found string `json:"found"`
	Do    string `json:"do,omitempty"`
}

// checkup is what the checks look at.
type checkup struct {
	ctx  context.Context
	data string
	db   *store.DB
	host *company.Host
	now  time.Time

	models *llm.Pool
}

// checks is the page of doctor, in this order. A check looks and changes nothing.
var checks = []struct {
	name string
	look func(*checkup) []finding
}{
	{"folder", checkFolder},
	{"disk", checkDisk},
	{"database", checkDatabase},
	{"clock", checkClock},
	{"keys", checkKeys},
	{"server", checkServer},
	{"jobs", checkJobs},
	{"computers", checkComputers},
	{"engine", checkModels},
}

func (a *app) doctorCmd() *cobra.Command {
	var allow []string
	var model modelFlags
	cmd := &cobra.Command{
		Use: "doctor --data DIR", Short: "Look for what is wrong with the server, and say what to do",
		Long: `Looks at the data folder, the disk, the database, the clock, the keys, the server
and its certificate, the jobs and the computers; with the server running or not.
Language models that write summaries are asked about a session that never was: the
companies' own, and the server's where the --llm options of serve are given here too.
It changes nothing. Exit status 1 if something is wrong.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			db, err := a.beside(cmd.Context())
			if err != nil {
				return err
			}
			defer db.Close()
			c := &checkup{ctx: cmd.Context(), data: a.data, db: db, now: time.Now()}
			if c.models, err = newPool(allow); err != nil {
				return usageError{err}
			}
			m, err := model.config()
			if err != nil {
				return err
			}
			if c.host, err = company.Load(c.ctx, db, company.Options{Model: m, Log: a.log}); err != nil {
				return err
			}
			var all []finding
			for _, check := range checks {
				for _, f := range check.look(c) {
					f.Check = check.name
					all = append(all, f)
				}
			}
			if err := a.print(all, func(w io.Writer) { showFindings(w, all) }); err != nil {
				return err
			}
			if slices.ContainsFunc(all, func(f finding) bool { return f.State == findWrong }) {
				return errFound
			}
			return nil
		},
	}
	a.dataFlag(cmd)
	model.add(cmd)
	cmd.Flags().StringArrayVar(&allow, "allow-host", nil, "as serve is given")
	return cmd
}

func showFindings(w io.Writer, all []finding) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\n", f.State, f.Check, f.Found)
		if f.Do != "" {
			fmt.Fprintf(t, "\t\t→ %s\n", f.Do)
		}
	}
	_ = t.Flush() // to what is printed to: reported by print
}

// checkFolder: nobody else may read what is in the data folder.
func checkFolder(c *checkup) (out []finding) {
	err := filepath.WalkDir(c.data, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if open(e) {
			out = append(out, finding{State: findWrong, Found: path + " can be read by other users", Do: "chmod go= " + quoteArg(path)})
		}
		return nil
	})
	if err != nil {
		return []finding{{State: findWrong, Found: err.Error(), Do: "run this command as the server's user"}}
	}
	if len(out) == 0 {
		out = []finding{{State: findOK, Found: c.data + " is closed to other users"}}
	}
	return out
}

const (
	leastFree = 1 << 30 // bytes that a data folder should have left
	fullFree  = 100 << 20
)

func checkDisk(c *checkup) []finding {
	free, err := freeBytes(c.data)
	switch {
	case err != nil:
		return []finding{{State: findNote, Found: "how much space is left cannot be seen: " + err.Error()}}
	case free < fullFree:
		return []finding{{State: findWrong, Found: fmt.Sprintf("%d MB left", free>>20), Do: "free space; until then nothing is acknowledged, and agents keep what they have"}}
	case free < leastFree:
		return []finding{{State: findNote, Found: fmt.Sprintf("%d MB left", free>>20), Do: "free space soon"}}
	}
	return []finding{{State: findOK, Found: fmt.Sprintf("%d GB left", free>>30)}}
}

func checkDatabase(c *checkup) []finding {
	f, err := c.db.Inspect(c.ctx)
	if err != nil {
		return []finding{{State: findWrong, Found: err.Error()}}
	}
	out := []finding{{State: findOK, Found: fmt.Sprintf("%s, %s, schema %d, %d MB, answers in %s", f.Engine, f.Where, f.Schema, f.Bytes>>20, f.Latency.Round(100*time.Microsecond))}}
	for _, d := range f.Doubts {
		state := findWrong
		if strings.Contains(d, "sorts by") {
			state = findNote
		}
		out = append(out, finding{State: state, Found: d, Do: "docs/scaling.md says how the database is set up"})
	}
	return out
}

// The clock: grants and certificates are about times.
const (
	mostAhead = 5 * time.Second // of two servers
	mostSkew  = time.Minute     // of most computers
)

func checkClock(c *checkup) []finding {
	f, err := c.db.Inspect(c.ctx)
	if err == nil && f.Ahead.Abs() > mostAhead {
		return []finding{{State: findWrong, Found: fmt.Sprintf("the database's clock and this computer's are %s apart", f.Ahead.Abs()), Do: "have both set by NTP"}}
	}
	var skews []time.Duration
	if err := c.db.View(c.ctx, func(tx *store.Tx) (err error) { skews, err = tx.Skews(c.now.Add(-24*time.Hour), 1000); return err }); err != nil {
		return []finding{{State: findWrong, Found: err.Error()}}
	}
	if len(skews) < 5 {
		return []finding{{State: findOK, Found: "nothing speaks against it; too few computers to compare with"}}
	}
	slices.Sort(skews)
	if middle := skews[len(skews)/2]; middle.Abs() > mostSkew {
		return []finding{{State: findWrong, Found: fmt.Sprintf("half of the computers are %s away from this one's clock", middle.Round(time.Second).Abs()), Do: "have this computer's clock set by NTP"}}
	}
	return []finding{{State: findOK, Found: fmt.Sprintf("as that of most of %d computers", len(skews))}}
}

func checkKeys(c *checkup) []finding {
	all, err := c.host.All(c.ctx)
	if err != nil {
		return []finding{{State: findWrong, Found: err.Error()}}
	}
	out := []finding{{State: findOK, Found: fmt.Sprintf("the signing keys of %d companies are there", len(all))}}
	if len(all) == 1 {
		out[0].Found = "the company's signing key is there"
	}
	if c.db.Shared() {
		if _, err := os.Stat(filepath.Join(c.data, filepath.FromSlash(company.ServerKey))); err != nil {
			out = append(out, finding{State: findWrong, Found: "the key that the servers share is missing", Do: "copy " + company.ServerKey + " from another server"})
		}
	}
	return out
}

// certSoon is how long before its end a certificate is spoken of.
const certSoon = 14 * 24 * time.Hour

// checkServer asks the server at its own address, as an agent would reach it.
func checkServer(c *checkup) []finding {
	address := c.host.Server()
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return []finding{{State: findWrong, Found: "there is no address of this server yet", Do: "start it once"}}
	}
	var leaf *tls.ConnectionState
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{
		// Nothing secret is sent: whether the certificate is good is looked at below.
		InsecureSkipVerify: true, MinVersion: tls.VersionTLS13,
		VerifyConnection: func(cs tls.ConnectionState) error { leaf = &cs; return nil }}}}
	res, err := client.Get(address + "/readyz")
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op
		}
		return []finding{{State: findWrong, Found: fmt.Sprintf("%s does not answer: %v", address, err), Do: "start the server, or look at the network or balancer in front of it"}}
	}
	_ = res.Body.Close()
	out := []finding{{State: findOK, Found: address + " is ready"}}
	if res.StatusCode != http.StatusOK {
		out[0] = finding{State: findWrong, Found: fmt.Sprintf("%s answers %s", address, res.Status), Do: "look at the server's log"}
	}
	end := leaf.PeerCertificates[0].NotAfter
	days := int(end.Sub(c.now).Hours() / 24)
	switch {
	case c.now.After(end):
		out = append(out, finding{State: findWrong, Found: "its certificate has expired on " + end.Format(time.DateOnly), Do: "renew it"})
	case end.Sub(c.now) < certSoon:
		out = append(out, finding{State: findNote, Found: fmt.Sprintf("its certificate expires in %d days", days), Do: "see that it is renewed"})
	default:
		out = append(out, finding{State: findOK, Found: fmt.Sprintf("its certificate is good for %d days", days)})
	}
	if !c.host.Trusts(*leaf) {
		out = append(out, finding{State: findWrong, Found: "what answers there has another certificate than agents trust", Do: "look at what stands in front of the server: it must pass TLS through"})
	}
	return out
}

// stuckAfter is how long a job that is due may wait.
const stuckAfter = 10 * time.Minute

func checkJobs(c *checkup) (out []finding) {
	var list []store.JobCount
	if err := c.db.View(c.ctx, func(tx *store.Tx) (err error) { list, err = tx.JobCounts(); return err }); err != nil {
		return []finding{{State: findWrong, Found: err.Error()}}
	}
	for _, j := range list {
		late := c.now.Sub(j.Oldest)
		switch j.State {
		case store.JobReady, store.JobLeased:
			if late > stuckAfter {
				out = append(out, finding{State: findWrong, Found: fmt.Sprintf("%d jobs (%s) wait, the oldest for %s", j.N, j.Kind, late.Round(time.Minute)), Do: "see that a server runs, and look at its log"})
			}
		case store.JobWaiting:
			out = append(out, finding{State: findNote, Found: fmt.Sprintf("%d sessions wait for credits", j.N), Do: "aval-summarizer credits show"})
		case store.JobFailed:
			out = append(out, finding{State: findNote, Found: fmt.Sprintf("%d jobs (%s) were given up", j.N, j.Kind), Do: "the console says why, and begins them again"})
		}
	}
	if !slices.ContainsFunc(out, func(f finding) bool { return f.State == findWrong }) {
		out = append([]finding{{State: findOK, Found: "none is late"}}, out...)
	}
	return out
}

func checkComputers(c *checkup) []finding {
	var all, seen int64
	if err := c.db.View(c.ctx, func(tx *store.Tx) (err error) {
		all, seen, err = tx.CountDevices(c.now.Add(-7 * 24 * time.Hour))
		return err
	}); err != nil {
		return []finding{{State: findWrong, Found: err.Error()}}
	}
	return []finding{{State: findOK, Found: fmt.Sprintf("%d enrolled, %d of them have connected within a week", all, seen)}}
}
