// Package agent is the composition root of the service: it hears of remote
// sessions, has each decided, asks where it must, and records with a grant.
//
// The one rule that must not be broken: everything that decides, asks, grants
// or ends runs in one goroutine, the loop, in this order: decision, durable
// record, only then capture. What is doubtful ends in no recording, and the
// remote session itself is never refused.
//
// Files: agent.go starts and stops it and has the loop; handler.go is the local API.
//
//   - A session: found.go what watchers find, ssh.go terminal logins, logs.go the logs
//     of tools, running.go what went on before the service did, announce.go what the
//     company announced; sessions.go its life.
//   - Its decision: policy.go what is in force and what a change of it ends, decide.go
//     the inputs, desktops.go the helpers, signedin.go who can be asked, ask.go the
//     question, evidence.go whose hand answered, remember.go answers for further
//     sessions, notice.go what a policy's person is told.
//   - Its recording: recording.go what a grant starts, writer.go its way to the disk,
//     withdraw.go what ends it early, leave.go the question after the supporter left.
//   - Its company: company.go enrolment and uplink, tokens.go token files that device
//     management lays down, unenroll.go leaving, account.go a user's own account,
//     guest.go companies that ask for one session by a code, opening.go a module
//     without one, feed.go what each connection sees of the store, bundle.go what it
//     brings, reach.go whether anybody here can be asked.
//   - Its people: queries.go what they look up, receipt.go and summary.go what they are
//     given, settings.go what they choose, watch.go tells open windows of changes,
//     troubles.go keeps the last warnings.
package agent

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"aval/agent/ipc"
	"aval/agent/memory"
	"aval/agent/policy/source"
	"aval/agent/record"
	"aval/agent/session/watch"
	"aval/agent/store"
	"aval/agent/wire"
)

// Config is how the service runs. Build, StateDir and Socket must be set.
type Config struct {
	Build     string
	StateDir  string // 0700, made when missing
	Socket    string // of the local API
	PolicyDir string // holds managed/ and recommended/; empty: no local policies
	// TokenDir is where device management lays token files, absolute; empty: nowhere.
	TokenDir string
	// Machine names the computer that the state folder belongs to, as ThisMachine
	// does; empty: it is bound to none.
	Machine store.Machine
	// Tools are the remote tools that it listens to by itself, of watch.ToolNames.
	Tools []string
	// Group is the group that the installed programs run with; only they then
	// ask people, and their word on who answered counts. Empty: it is told of
	// no answer whose hand it was, unless a policy names devices for tests.
	Group string
	Log   *slog.Logger
	// Module is what the service runs for, verified; codes of its company alone are
	// then taken. Without an ID: for none.
	Module record.Module
	// SessionChanges returns a channel that tells that the desktop sessions of
	// Windows may have changed, another one with each call; nil: nobody tells.
	SessionChanges func() <-chan struct{}
	// StartHelpers: the service itself starts aval-desktop in each desktop session,
	// and asks people by that and by what that starts alone. Windows only.
	StartHelpers bool
	// Ready is called once, when the local API answers.
	Ready func()
}

// Agent is the running service. All fields below loop belong to the loop.
type Agent struct {
	cfg      Config
	log      *slog.Logger
	troubles *recent // of the log
	store    *store.Store
	key      crypto.Signer
	group    int // id of Config.Group; -1: there is none
	start    time.Time
	loop     chan func()
	ctx      context.Context // ends with the service
	work     sync.WaitGroup

	notes        []string
	tokens       string          // what keeps a token file from being used; empty: nothing
	policies     *source.Dir     // nil: no policy folder
	policy       source.Snapshot // as read for the last decision
	expiring     *time.Timer     // when the last good policy stops counting; nil: it is fresh
	helpers      helpers         // those that the service has started
	logind       *watch.Logind   // nil: this system has none
	ssh          *watch.SSH
	logs         *watch.Logs           // set before the uplink starts
	listed       []watch.LogindSession // all sessions, as logind lists them
	graphical    []watch.LogindSession // those of them that are desktops
	logindFailed bool
	desktops     map[string]*desktop
	used         map[string]bool        // names of all sessions that ever were
	begins       map[uint32][]time.Time // of ordinary users, lately
	sessions     map[string]*live       // by name, only those that have not ended
	company      *company               // nil: not enrolled
	try          string                 // random: what is tried again while this service runs is the same
	left         []left                 // companies whose servers are to be told that this computer has left
	opening      *opening               // of the module that the service runs for; nil: none
	guests       map[string]*company    // that ask for one session by a code, by device id
	feeds        feeds
	announced    []record.Request           // sessions that the company announced and that have not begun
	taken        []string                   // the last announcements that a session was found for, by id
	leaving      map[store.Stream]*leave    // questions after leaving that are open
	putOff       map[store.Stream]time.Time // when such a question ended without an answer
	signedIn     map[string]bool            // sessions of logind whose person was there
	heldTimer    *time.Timer
	subject      []byte              // salt for the subject of records
	answers      map[string]*lasting // that hold for further sessions, by grant
	latest       time.Time           // of the newest record
	epoch        uint64
	watchers     map[*ipc.Conn]*watcher // windows that are told of changes
	telling      bool                   // they will be, soon
	told         bool                   // what the loop did last was telling them
	summaries    uint64                 // that came or went since the start
	trimming     *time.Timer
	reaching     bool        // the company will be told, soon, whether somebody can be asked
	reached      *wire.Reach // what it was told
	lookAgain    *time.Timer
	unshown      bool // the last question could not be shown
}

// Run runs the service until ctx ends. It returns nil after an orderly stop, and
// an error that says what to do when it could not start.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	var kept *recent
	cfg.Log, kept = keepTroubles(cfg.Log)
	st, err := store.Open(cfg.StateDir, store.Options{Log: cfg.Log, Machine: cfg.Machine, Bound: []string{docEnrolment, docOptions, docSeen, docGuests, docAccount, docLeft}})
	if err != nil {
		return err
	}
	defer st.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := &Agent{
		cfg: cfg, log: cfg.Log, troubles: kept, store: st, key: st.DeviceKey(), start: time.Now().UTC(),
		loop: make(chan func(), 1024), ctx: ctx,
		notes: st.Notes(), desktops: map[string]*desktop{}, sessions: map[string]*live{},
		begins: map[uint32][]time.Time{}, leaving: map[store.Stream]*leave{}, putOff: map[store.Stream]time.Time{}, signedIn: map[string]bool{},
		watchers: map[*ipc.Conn]*watcher{}, answers: map[string]*lasting{}, try: rand.Text(),
	}
	pub, ok := a.key.Public().(ed25519.PublicKey)
	if !ok {
		return errors.New("the device key is not an Ed25519 key")
	}
	if a.group = groupID(cfg.Group); cfg.Group != "" && a.group < 0 {
		a.notes = appendNote(a.notes, "The group "+cfg.Group+" does not exist: nobody can be asked until aval install has set it up.")
	}
	if a.subject, err = a.subjectSalt(); err != nil {
		return err
	}
	a.takeSetup()
	if cfg.PolicyDir != "" {
		a.policies = source.New(source.Options{Dir: cfg.PolicyDir, Preferences: source.DefaultPreferences, Own: os.Geteuid() != 0 || cfg.PolicyDir != DefaultPolicyDir, Keeper: st, Log: cfg.Log})
	}
	if err := a.loadNames(); err != nil {
		return err
	}
	if err := a.loadCompany(); err != nil {
		return err
	}
	if err := a.loadGuests(); err != nil {
		return err
	}
	a.policyNow()
	server, err := ipc.Listen(cfg.Socket, ipc.HelloResult{Build: cfg.Build, DeviceKey: pub}, cfg.Log)
	if err != nil {
		return fmt.Errorf("open local API: %w", err)
	}
	defer server.Close()

	a.watchLogind()
	a.watchSSH()
	a.restore()
	a.watchTools()
	a.askHeld()
	a.findRunning()
	a.watchLogs()
	a.review() // the policy may have changed meanwhile
	a.watchPolicy()
	a.work.Go(func() {
		for {
			select {
			case <-a.store.Changed():
				a.feeds.wake()
			case <-a.ctx.Done():
				return
			}
		}
	})
	if a.company != nil {
		a.startUplink(a.company)
	}
	a.tendGuests()
	a.watchTokens()
	a.tellAllLeft()
	a.work.Go(func() {
		if err := server.Serve(a); err != nil {
			a.log.Error("local API ended", "err", err)
			cancel()
		}
	})
	a.work.Go(func() { <-ctx.Done(); server.Close() })
	if cfg.Ready != nil {
		cfg.Ready()
	}
	a.trimSoon()
	a.log.Info("running", "build", cfg.Build, "socket", cfg.Socket, "state", cfg.StateDir)
	for {
		select {
		case f := <-a.loop:
			f()
			a.touched()
		case <-ctx.Done():
			a.stop()
			a.endHelpers()
			server.Close()
			a.drain()
			return nil
		}
	}
}

// trimSoon gives memory back once the start, an enrolment or a session has
// settled.
func (a *Agent) trimSoon() {
	if a.trimming == nil {
		a.trimming = time.AfterFunc(3*time.Second, memory.Trim)
		return
	}
	a.trimming.Reset(3 * time.Second)
}

// drain runs what is still queued while the other goroutines end, so that none
// of them waits for the loop for ever.
func (a *Agent) drain() {
	done := make(chan struct{})
	go func() { a.work.Wait(); close(done) }()
	for {
		select {
		case f := <-a.loop:
			f()
		case <-done:
			return
		}
	}
}

// post has f run in the loop, soon. It never blocks the loop itself; a full
// mailbox blocks the poster, which only others than the loop may be.
func (a *Agent) post(f func()) {
	select {
	case a.loop <- f:
	case <-a.ctx.Done():
	}
}

// tryPost is post for captured events: a full mailbox drops them, and says so.
func (a *Agent) tryPost(f func()) bool {
	select {
	case a.loop <- f:
		return true
	default:
		return false
	}
}

// do has f run in the loop and waits for it.
func (a *Agent) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case a.loop <- func() { f(); close(done) }:
	case <-ctx.Done():
		return ctx.Err()
	case <-a.ctx.Done():
		return errStopping
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-a.ctx.Done():
		return errStopping
	}
}

// after has f run in the loop once d has passed, unless stopped before.
func (a *Agent) after(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(max(d, 0), func() { a.post(f) })
}

var errStopping = &ipc.Error{Code: ipc.CodeFailed, Message: "the Aval service is stopping", Hint: "try again in a moment"}
