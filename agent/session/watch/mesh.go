package watch

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// ToolMeshCentral is the name of sessions of MeshCentral's agent.
const ToolMeshCentral = "meshcentral"

var meshFacts = facts{hears: []string{"begin", "end", "user", "desktop", "terminal", "files", "display", "commands of a terminal"},
	missing: "viewers who may only look, and relayed ports, are not told apart or told of"}

// meshSocket is what the agent calls its local socket, in its working folder
// (MeshCentral 1.1.55, agents/meshcore.js: obj.DAIPC).
const meshSocket = "DAIPC"

// meshPipe is the agent's pipe on Windows, by the number of its node as the registry
// has it: base64 with @ and $ for + and / (MeshCentralAssistant, MeshAgent.cs; the
// agent's own modules/_agentNodeId.js).
func meshPipe(node string) (string, bool) {
	raw, err := base64.StdEncoding.DecodeString(strings.NewReplacer("@", "+", "$", "/").Replace(node))
	if err != nil || len(raw) < 16 || len(raw) > 64 {
		return "", false
	}
	return `\\.\pipe\` + strings.ToUpper(hex.EncodeToString(raw)) + "-" + meshSocket, true
}

const (
	// maxMeshFrame is the longest message that is taken from the agent, in bytes;
	// the agent itself takes 8 KiB.
	maxMeshFrame = 64 << 10
	// maxMeshUsers and maxMeshUser bound one message: users at once, bytes of one's id.
	maxMeshUsers = 64
	maxMeshUser  = 512
	// maxMeshCount is how many connections of a kind one user is believed to have.
	maxMeshCount = 64
)

// The kinds of connection that the agent counts and that are sessions; it counts
// relayed ports (tcp, udp) and messages too.
const (
	meshDesktop  = "desktop"
	meshTerminal = "terminal"
	meshFiles    = "files"
)

var errMeshFrame = errors.New("the message has no possible length")

// readMeshFrame reads one message: four bytes of length, little endian, which
// counts itself, and then JSON. Bytes are taken only as they come.
func readMeshFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n < 6 || n > maxMeshFrame { // the shortest JSON object has two bytes
		return nil, fmt.Errorf("%w: %d", errMeshFrame, n)
	}
	body := make([]byte, n-4)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, errors.Join(io.ErrUnexpectedEOF, err)
	}
	return body, nil
}

// meshFrame writes one message.
func meshFrame(cmd, value string) []byte {
	body, _ := json.Marshal(struct {
		Cmd   string `json:"cmd"`
		Value string `json:"value,omitempty"`
	}{cmd, value}) // two strings always become JSON
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(body)+4)), body...)
}

// meshUsers are the users of one kind of connection, with how many each has.
type meshUsers map[string]int

// meshMessage is what the agent says. Sessions is nil unless it says who is
// connected.
type meshMessage struct {
	cmd      string
	sessions map[string]meshUsers // by kind: desktop, terminal, files
}

// parseMesh reads the JSON of a message. What it does not know it leaves out;
// what it knows and cannot read is an error, since a session may hide in it.
func parseMesh(body []byte) (meshMessage, error) {
	var m struct {
		Cmd      string                     `json:"cmd"`
		Sessions map[string]json.RawMessage `json:"sessions"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return meshMessage{}, fmt.Errorf("read message of the mesh agent: %w", err)
	}
	out := meshMessage{cmd: m.Cmd}
	if m.Cmd != "sessions" {
		return out, nil
	}
	out.sessions = map[string]meshUsers{}
	for _, kind := range []string{meshDesktop, meshTerminal, meshFiles} {
		raw, ok := m.Sessions[kind]
		if !ok { // the agent names the desktop only once there was one
			continue
		}
		var users meshUsers
		if err := json.Unmarshal(raw, &users); err != nil {
			return meshMessage{}, fmt.Errorf("read %s users of the mesh agent: %w", kind, err)
		}
		if len(users) > maxMeshUsers {
			return meshMessage{}, fmt.Errorf("read %s users of the mesh agent: %d at once", kind, len(users))
		}
		for u, n := range users {
			if n < 0 || n > maxMeshCount || u == "" || len(u) > maxMeshUser {
				return meshMessage{}, fmt.Errorf("read %s users of the mesh agent: %d connections of a user whose id has %d bytes", kind, n, len(u))
			}
		}
		maps.DeleteFunc(users, func(_ string, n int) bool { return n == 0 })
		out.sessions[kind] = users
	}
	return out, nil
}

// meshChange is what one user has begun or ended.
type meshChange struct {
	user string
	// kinds are what the user may do at the desktop now, out of View, Control and
	// Files; empty: nothing any more. Valid unless terminal is set.
	kinds []string
	// terminal: it is about terminals, of which the user had was and has now.
	terminal bool
	was, now int
}

// meshState is who was connected by the last message.
type meshState map[string]meshUsers

// to takes the next message and says what has changed since the last one, in the
// order of the users' ids: what has ended first.
func (s *meshState) to(next map[string]meshUsers) []meshChange {
	was := *s
	*s = next
	users := map[string]bool{}
	for _, kinds := range []map[string]meshUsers{was, next} {
		for _, of := range kinds {
			for u := range of {
				users[u] = true
			}
		}
	}
	var gone, come []meshChange
	for _, u := range slices.Sorted(maps.Keys(users)) {
		if a, b := meshDeskKinds(was, u), meshDeskKinds(next, u); !slices.Equal(a, b) {
			c := meshChange{user: u, kinds: b}
			if len(b) == 0 {
				gone = append(gone, c)
			} else {
				come = append(come, c)
			}
		}
		if a, b := was[meshTerminal][u], next[meshTerminal][u]; a != b {
			c := meshChange{user: u, terminal: true, was: a, now: b}
			if b < a {
				gone = append(gone, c)
			} else {
				come = append(come, c)
			}
		}
	}
	return append(gone, come...)
}

// meshDeskKinds are the kinds that make one session at the desktop: a supporter
// who looks at it and opens its files is asked about once. Whether a viewer may
// only look is nothing that the agent tells.
func meshDeskKinds(s map[string]meshUsers, user string) []string {
	var out []string
	if s[meshDesktop][user] > 0 {
		out = append(out, View, Control)
	}
	if s[meshFiles][user] > 0 {
		out = append(out, Files)
	}
	return out
}

// meshName is the name in a user's id, as MeshCentral gives it: "user/DOMAIN/NAME",
// where the domain may be empty, and "…/guest:BASE64" after it for somebody who
// was given a link to share.
func meshName(id string) string {
	id, guest, shared := strings.Cut(id, "/guest:")
	p := strings.SplitN(id, "/", 3)
	name := id
	if len(p) == 3 && p[0] == "user" && p[2] != "" {
		name = p[2]
		if p[1] != "" {
			name += "@" + p[1]
		}
	}
	if shared {
		if b, err := base64.StdEncoding.DecodeString(guest); err == nil && len(b) > 0 {
			return string(b) + " (" + name + ")"
		}
	}
	return name
}

// meshUserKey stands for a user's id in a session's id, whose characters are few.
func meshUserKey(user string) string {
	sum := sha256.Sum256([]byte(user))
	return hex.EncodeToString(sum[:6])
}
