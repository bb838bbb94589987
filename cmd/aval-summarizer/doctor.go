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
	"time"

	"github.com/spf13/cobra"

	"aval/cmd/internal/command"
	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/summary/llm"
)

// errFound ends doctor with status 1 after its page has said what is wrong.
var errFound = errors.New("something is wrong")

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
	look func(*checkup) []command.Finding
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
			var all []command.Finding
			for _, check := range checks {
				for _, f := range check.look(c) {
					f.Check = check.name
					all = append(all, f)
				}
			}
			if err := a.print(all, func(w io.Writer) { command.WriteFindings(w, all) }); err != nil {
				return err
			}
			if command.AnyWrong(all) {
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

// checkFolder: nobody else may read what is in the data folder.
func checkFolder(c *checkup) (out []command.Finding) {
	err := filepath.WalkDir(c.data, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if open(e) {
			out = append(out, command.Finding{State: command.StateWrong, Found: path + " can be read by other users", Do: []string{"chmod go= " + quoteArg(path)}})
		}
		return nil
	})
	if err != nil {
		return []command.Finding{{State: command.StateWrong, Found: err.Error(), Do: []string{"run this command as the server's user"}}}
	}
	if len(out) == 0 {
		out = []command.Finding{{State: command.StateOK, Found: c.data + " is closed to other users"}}
	}
	return out
}

const (
	leastFree = 1 << 30 // bytes that a data folder should have left
	fullFree  = 100 << 20
)

func checkDisk(c *checkup) []command.Finding {
	free, err := freeBytes(c.data)
	switch {
	case err != nil:
		return []command.Finding{{State: command.StateNote, Found: "how much space is left cannot be seen: " + err.Error()}}
	case free < fullFree:
		return []command.Finding{{State: command.StateWrong, Found: fmt.Sprintf("%d MB left", free>>20), Do: []string{"free space; until then nothing is acknowledged, and agents keep what they have"}}}
	case free < leastFree:
		return []command.Finding{{State: command.StateNote, Found: fmt.Sprintf("%d MB left", free>>20), Do: []string{"free space soon"}}}
	}
	return []command.Finding{{State: command.StateOK, Found: fmt.Sprintf("%d GB left", free>>30)}}
}

func checkDatabase(c *checkup) []command.Finding {
	f, err := c.db.Inspect(c.ctx)
	if err != nil {
		return []command.Finding{{State: command.StateWrong, Found: err.Error()}}
	}
	out := []command.Finding{{State: command.StateOK, Found: fmt.Sprintf("%s, %s, schema %d, %d MB, answers in %s", f.Engine, f.Where, f.Schema, f.Bytes>>20, f.Latency.Round(100*time.Microsecond))}}
	for _, d := range f.Doubts {
		state := command.StateWrong
		if strings.Contains(d, "sorts by") {
			state = command.StateNote
		}
		out = append(out, command.Finding{State: state, Found: d, Do: []string{"docs/scaling.md says how the database is set up"}})
	}
	return out
}

// The clock: grants and certificates are about times.
const (
	mostAhead = 5 * time.Second // of two servers
	mostSkew  = time.Minute     // of most computers
)

func checkClock(c *checkup) []command.Finding {
	f, err := c.db.Inspect(c.ctx)
	if err == nil && f.Ahead.Abs() > mostAhead {
		return []command.Finding{{State: command.StateWrong, Found: fmt.Sprintf("the database's clock and this computer's are %s apart", f.Ahead.Abs()), Do: []string{"have both set by NTP"}}}
	}
	var skews []time.Duration
	if err := c.db.View(c.ctx, func(tx *store.Tx) (err error) { skews, err = tx.Skews(c.now.Add(-24*time.Hour), 1000); return err }); err != nil {
		return []command.Finding{{State: command.StateWrong, Found: err.Error()}}
	}
	if len(skews) < 5 {
		return []command.Finding{{State: command.StateOK, Found: "nothing speaks against it; too few computers to compare with"}}
	}
	slices.Sort(skews)
	if middle := skews[len(skews)/2]; middle.Abs() > mostSkew {
		return []command.Finding{{State: command.StateWrong, Found: fmt.Sprintf("half of the computers are %s away from this one's clock", middle.Round(time.Second).Abs()), Do: []string{"have this computer's clock set by NTP"}}}
	}
	return []command.Finding{{State: command.StateOK, Found: fmt.Sprintf("as that of most of %d computers", len(skews))}}
}

func checkKeys(c *checkup) []command.Finding {
	all, err := c.host.All(c.ctx)
	if err != nil {
		return []command.Finding{{State: command.StateWrong, Found: err.Error()}}
	}
	out := []command.Finding{{State: command.StateOK, Found: fmt.Sprintf("the signing keys of %d companies are there", len(all))}}
	if len(all) == 1 {
		out[0].Found = "the company's signing key is there"
	}
	if c.db.Shared() {
		if _, err := os.Stat(filepath.Join(c.data, filepath.FromSlash(company.ServerKey))); err != nil {
			out = append(out, command.Finding{State: command.StateWrong, Found: "the key that the servers share is missing", Do: []string{"copy " + company.ServerKey + " from another server"}})
		}
	}
	return out
}

// certSoon is how long before its end a certificate is spoken of.
const certSoon = 14 * 24 * time.Hour

// checkServer asks the server at its own address, as an agent would reach it.
func checkServer(c *checkup) []command.Finding {
	address := c.host.Server()
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return []command.Finding{{State: command.StateWrong, Found: "there is no address of this server yet", Do: []string{"start it once"}}}
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
		return []command.Finding{{State: command.StateWrong, Found: fmt.Sprintf("%s does not answer: %v", address, err), Do: []string{"start the server, or look at the network or balancer in front of it"}}}
	}
	_ = res.Body.Close()
	out := []command.Finding{{State: command.StateOK, Found: address + " is ready"}}
	if res.StatusCode != http.StatusOK {
		out[0] = command.Finding{State: command.StateWrong, Found: fmt.Sprintf("%s answers %s", address, res.Status), Do: []string{"look at the server's log"}}
	}
	end := leaf.PeerCertificates[0].NotAfter
	days := int(end.Sub(c.now).Hours() / 24)
	switch {
	case c.now.After(end):
		out = append(out, command.Finding{State: command.StateWrong, Found: "its certificate has expired on " + end.Format(time.DateOnly), Do: []string{"renew it"}})
	case end.Sub(c.now) < certSoon:
		out = append(out, command.Finding{State: command.StateNote, Found: fmt.Sprintf("its certificate expires in %d days", days), Do: []string{"see that it is renewed"}})
	default:
		out = append(out, command.Finding{State: command.StateOK, Found: fmt.Sprintf("its certificate is good for %d days", days)})
	}
	if !c.host.Trusts(*leaf) {
		out = append(out, command.Finding{State: command.StateWrong, Found: "what answers there has another certificate than agents trust", Do: []string{"look at what stands in front of the server: it must pass TLS through"}})
	}
	return out
}

// stuckAfter is how long a job that is due may wait.
const stuckAfter = 10 * time.Minute

func checkJobs(c *checkup) (out []command.Finding) {
	var list []store.JobCount
	if err := c.db.View(c.ctx, func(tx *store.Tx) (err error) { list, err = tx.JobCounts(); return err }); err != nil {
		return []command.Finding{{State: command.StateWrong, Found: err.Error()}}
	}
	for _, j := range list {
		late := c.now.Sub(j.Oldest)
		switch j.State {
		case store.JobReady, store.JobLeased:
			if late > stuckAfter {
				out = append(out, command.Finding{State: command.StateWrong, Found: fmt.Sprintf("%d jobs (%s) wait, the oldest for %s", j.N, j.Kind, late.Round(time.Minute)), Do: []string{"see that a server runs, and look at its log"}})
			}
		case store.JobWaiting:
			out = append(out, command.Finding{State: command.StateNote, Found: fmt.Sprintf("%d sessions wait for credits", j.N), Do: []string{"aval-summarizer credits show"}})
		case store.JobFailed:
			out = append(out, command.Finding{State: command.StateNote, Found: fmt.Sprintf("%d jobs (%s) were given up", j.N, j.Kind), Do: []string{"the console says why, and begins them again"}})
		}
	}
	if !command.AnyWrong(out) {
		out = append([]command.Finding{{State: command.StateOK, Found: "none is late"}}, out...)
	}
	return out
}

func checkComputers(c *checkup) []command.Finding {
	var all, seen int64
	if err := c.db.View(c.ctx, func(tx *store.Tx) (err error) {
		all, seen, err = tx.CountDevices(c.now.Add(-7 * 24 * time.Hour))
		return err
	}); err != nil {
		return []command.Finding{{State: command.StateWrong, Found: err.Error()}}
	}
	return []command.Finding{{State: command.StateOK, Found: fmt.Sprintf("%d enrolled, %d of them have connected within a week", all, seen)}}
}
