// Package lab makes hosts and a path between them out of nothing but an
// ordinary user's rights: each host is a network namespace of its own, the path
// is a pump that carries packets between TUN devices, and any program can be
// started on any host.
//
// [Open] starts this executable once more, as the first process of new user,
// mount, process and network namespaces. That process owns everything else:
// when it ends, for whatever reason, the kernel ends what it had started, and
// devices, routes and mounts go with their namespaces. Nothing is written to a
// disk, and nothing outside the namespaces changes.
//
// [Lab.Start] starts a program on a host, [Lab.Listen] opens a socket of a host for this
// process, [Lab.Report] says what has passed and what the hosts hold, [Lab.Series] what they held
// over time, and [Lab.Renew] lays the path anew between the same hosts. [Check] says what of all this the machine permits. The path
// itself is package linger/lab/pump.
//
// main and TestMain call [Inside] first: it is how the new process knows what it
// is. The lab needs Linux; elsewhere everything builds and Open says so.
//
// What is not emulated: reordering, jitter, more than one bottleneck on any way,
// IPv6 between hosts, name servers (names resolve through a private /etc/hosts),
// and machines of their own (all hosts share one kernel, its clock and its CPUs).
package lab

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"linger"
	"linger/lab/pump"
	"linger/trace"
)

// ErrUnsupported is what an error of [Open] wraps when this machine cannot hold
// a lab, or does not let this user. It is an [errors.ErrUnsupported].
var ErrUnsupported error = unsupportedError{}

type unsupportedError struct{}

func (unsupportedError) Error() string { return "this machine cannot hold a lab" }

func (unsupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

// Bounds of a lab. A host costs a namespace, a TUN device and a thread.
const (
	mostHosts   = 64
	mostAliases = 256
	// mostAddresses are those of a /16, without the first and the last.
	mostAddresses = 1<<16 - 2
	maxDelay      = time.Minute
	// maxCaptureLimit keeps a forgotten capture from filling a disk.
	maxCaptureLimit = 64 << 30
	// mostCaptures is as many files as one message between the halves of a lab brings.
	mostCaptures   = 8
	minSampleEvery = time.Millisecond
	// defaultSampleEvery is well below the round trip of the paths that matter,
	// and costs less than 1 % of a core for two hosts.
	defaultSampleEvery = 20 * time.Millisecond
)

// Side is the end of the bottleneck that a host is on.
type Side = pump.Side

// The two ends of the path.
const (
	Client = pump.Client
	Server = pump.Server
)

// A HostConfig is one host of the lab.
type HostConfig struct {
	// Name resolves to the host's address on every host: lower-case letters,
	// digits, '-' and '.'.
	Name string `json:"name"`
	// Side is the end of the bottleneck that the host is on.
	Side Side `json:"side"`
	// Aliases are further names that resolve to it.
	Aliases []string `json:"aliases,omitempty"`
	// Addresses is how many addresses the host has beside its own, for programs that are many
	// clients: each socket is bound to one of [Lab.Addrs]. They cost the host nothing.
	Addresses int `json:"addresses,omitempty"`
	// Delay is the host's own, in each direction, added to the network's.
	Delay time.Duration `json:"delay_ns,omitempty"`
	// Capture, if not nil, gets every packet that the host sends or is sent, as pcapng and
	// at the instant when it leaves or reaches the host, up to the lab's CaptureLimit.
	// Packets are as the host has them: larger than the MTU where its network card would
	// cut them.
	Capture *os.File `json:"-"`
	// Captured says that a file for it came along.
	Captured bool `json:"captured,omitempty"`
	// Processes asks for the CPU time and the memory of all processes on the host.
	Processes bool `json:"processes,omitempty"`
	// Sysctls are parameters of the host's network that differ from the lab's own, by their
	// names: "net.ipv4.tcp_tw_reuse". One that cannot be set is an error of [Open].
	Sysctls map[string]string `json:"sysctls,omitempty"`
}

// A Config is a path with the hosts on it.
type Config struct {
	Network linger.Network `json:"network"`
	// Own gives each address on the client's side an access link of its own, as Network says.
	// Otherwise all clients share one.
	Own bool `json:"own,omitempty"`
	// Seed decides which packets are lost.
	Seed  uint64       `json:"seed"`
	Hosts []HostConfig `json:"hosts"`
	// Capture, if not nil, gets every packet as pcapng, up to CaptureLimit
	// bytes; it is complete when Close has returned. It is what is sent into the
	// links: each packet has been through its sender's own delay, and not yet through
	// the network's.
	Capture      *os.File `json:"-"`
	CaptureLimit int64    `json:"capture_limit,omitempty"`
	// Captured says that a file for it came along.
	Captured bool `json:"captured,omitempty"`
	// ForgetAfter, if not 0, puts a box between the two sides that forgets a TCP
	// connection on which nothing has passed for so long, as a NAT or a firewall does:
	// what comes for it from then on is dropped, and nobody is told.
	ForgetAfter time.Duration `json:"forget_after_ns,omitempty"`
	// Refuses has that box answer what comes for a forgotten connection by an RST in the other
	// end's name; ResetsBoth sends one on to the other end, too.
	Refuses    bool `json:"refuses,omitempty"`
	ResetsBoth bool `json:"resets_both,omitempty"`
	// Scratch is a folder that is empty in the lab, in memory, and gone with it, whatever
	// ends it; none where it is empty.
	Scratch string `json:"scratch,omitempty"`
	// SampleEvery is how often each host's sockets are counted; 0 is 20 ms, or SeriesEvery
	// where that is longer.
	SampleEvery time.Duration `json:"sample_every_ns,omitempty"`
	// SeriesEvery is how often a count is kept for [Lab.Series]; 0 keeps none.
	SeriesEvery time.Duration `json:"series_every_ns,omitempty"`
	// PipesOnly leaves the connections out of the ledger, and counts what each direction
	// carried: a crowd has too many of them to tell of each.
	PipesOnly bool `json:"pipes_only,omitempty"`
}

// A Command is a program to start on a host.
type Command struct {
	Host string
	// Path is the file to execute; no search path is consulted, and a relative
	// path begins at this process's working directory.
	Path string
	// Args are the arguments after the program's own name.
	Args []string
	// Env is the environment as "NAME=value", the last of a name counting; nil is
	// the environment that this process had when the lab was opened.
	Env []string
	// Dir is the working directory; empty is this process's.
	Dir string
	// Nil is /dev/null. The files may be closed once Start has returned.
	Stdin, Stdout, Stderr *os.File
	// Foreground leaves the program in this process's process group, so that the
	// terminal's Ctrl-C and Ctrl-Z reach it as they reach this process, and hands
	// the terminal back when it has ended. Otherwise it has a group of its own,
	// and only Signal reaches it.
	Foreground bool
	// NetAdmin leaves the program CAP_NET_ADMIN over its host's network. Every
	// other program has the capabilities that it would have outside.
	NetAdmin bool
}

// An Exit is how a program ended and what it had used, its children that it had
// waited for included.
type Exit struct {
	Code   int            // as the program gave it; 0 if a signal ended it
	Signal syscall.Signal // that ended it, or 0
	User   time.Duration  // CPU time
	System time.Duration
	MaxRSS int64 // most resident memory of any one process, bytes
}

// Status returns the exit status as a shell gives it: 128 and the signal's
// number if a signal ended the program.
func (e Exit) Status() int {
	if e.Signal != 0 {
		return 128 + int(e.Signal)
	}
	return e.Code
}

// A Report is what the lab has seen so far.
type Report struct {
	Ledger trace.Ledger
	// Hosts has the sockets of each host by its name. CPU, since the lab was opened, is
	// left 0, and so is the memory, unless the host's Processes are asked for: a program
	// knows better which part of its work counts.
	Hosts map[string]trace.Host
	// Commands are in the order in which they were started.
	Commands []Usage
	// Notes are what this machine did not allow and what the lab did instead, a
	// sentence each.
	Notes []string
}

// Usage is what one command has used.
type Usage struct {
	Host    string        `json:"host"`
	Path    string        `json:"path"`
	Running bool          `json:"running"`
	CPU     time.Duration `json:"cpu_ns"` // user and system
	// MaxRSS is the most resident memory in bytes; known when it has ended.
	MaxRSS linger.Opt[int64] `json:"max_rss,omitzero"`
}

// A Finding is one thing that the lab wants of this machine.
type Finding struct {
	Name string
	OK   bool
	// Needed says that there is no lab without it.
	Needed bool
	// Found is what was found, in a few words.
	Found string
	// Gives is what it makes possible.
	Gives string
	// Fix is how to permit it, a command where there is one; empty when OK. It is the first
	// of Ways.
	Fix string
	// Ways are all that are known, the one that changes least first.
	Ways []Way
}

// A Way is how something is permitted.
type Way struct {
	Do string // a command, or what else is to be done
	// For is what is permitted it by that, and for how long.
	For string
}

// lacks returns the finding that something is not there, and what would permit it.
func (f Finding) lacks(found string, ways ...Way) Finding {
	f.OK, f.Found, f.Ways, f.Fix = false, found, ways, ways[0].Do
	return f
}

// packetsPerCore is how many packets a second one core carries beside the
// programs that send them, with nearly all still on time: BenchmarkSideBySide, on
// two cores, has the latest hundredth of lte's 0.1 ms late in one lab, 0.4 ms in
// four and 1.2 ms in eight.
const packetsPerCore = 10_000

// Capacity returns how many labs on this network can run side by side on so many cores without
// making each other late: surely as many as two a core, since each runs a client and a server as
// well, and at most four a core, where their own lateness is looked at; neither more than have
// packetsPerCore full-sized packets a second in each core, both directions together. At least one.
func Capacity(n linger.Network, cores int) (surely, most int) {
	cores = max(cores, 1)
	if n.Down == 0 || n.Up == 0 {
		return 1, 1
	}
	perLab := max(1, int64(n.Down+n.Up)/(8*linger.MTU))
	carried := max(1, int64(cores)*packetsPerCore/perLab)
	return int(min(int64(2*cores), carried)), int(min(int64(4*cores), carried))
}

// validate reports the first thing that no lab can be made of.
func (c Config) validate() error {
	if err := c.Network.Validate(); err != nil {
		return err
	}
	switch {
	case len(c.Hosts) == 0 || len(c.Hosts) > mostHosts:
		return fmt.Errorf("a lab of %d hosts; give it 1 to %d", len(c.Hosts), mostHosts)
	case c.SampleEvery != 0 && c.SampleEvery < minSampleEvery:
		return fmt.Errorf("sockets cannot be counted every %v; give at least %v, or 0 for %v", c.SampleEvery, minSampleEvery, defaultSampleEvery)
	case c.SeriesEvery != 0 && c.SeriesEvery < minSampleEvery:
		return fmt.Errorf("sockets cannot be kept every %v; give at least %v, or 0 for none", c.SeriesEvery, minSampleEvery)
	case c.ForgetAfter < 0:
		return fmt.Errorf("a box that forgets after %v; give more than 0, or 0 for none", c.ForgetAfter)
	case c.captures() > mostCaptures:
		return fmt.Errorf("%d captures of one lab; it writes %d at most", c.captures(), mostCaptures)
	case c.CaptureLimit < 0 || c.CaptureLimit > maxCaptureLimit:
		return fmt.Errorf("a capture of %d bytes; give 0 to %d", c.CaptureLimit, int64(maxCaptureLimit))
	}
	taken := map[string]bool{"localhost": true}
	for _, h := range c.Hosts {
		if h.Side != Client && h.Side != Server {
			return fmt.Errorf("host %q is on side %d; put it on Client or Server", h.Name, h.Side)
		}
		if h.Delay < 0 || h.Delay > maxDelay {
			return fmt.Errorf("host %q has a delay of %v; give 0 to %v", h.Name, h.Delay, maxDelay)
		}
		if h.Addresses < 0 || h.Addresses > mostAddresses {
			return fmt.Errorf("host %q has %d further addresses; give 0 to %d", h.Name, h.Addresses, mostAddresses)
		}
		if len(h.Aliases) > mostAliases {
			return fmt.Errorf("host %q has %d aliases; give at most %d", h.Name, len(h.Aliases), mostAliases)
		}
		for _, name := range append([]string{h.Name}, h.Aliases...) {
			if !IsHostName(name) {
				return fmt.Errorf("%q is not a host's name; use lower-case letters, digits, '-' and '.'", name)
			}
			if taken[name] {
				return fmt.Errorf("host name %q stands twice; names and aliases must differ, and localhost is taken", name)
			}
			taken[name] = true
		}
	}
	return nil
}

// sampleEvery is how often sockets are counted.
func (c Config) sampleEvery() time.Duration {
	return cmp.Or(c.SampleEvery, max(defaultSampleEvery, c.SeriesEvery))
}

// IsHostName reports whether name can stand in /etc/hosts and in a URL: labels
// of letters, digits and hyphens (RFC 1123, 2.1), and the underscore, which
// names of real pages have.
func IsHostName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// captures counts the files that the lab is to write.
func (c Config) captures() int {
	n := 0
	if c.Capture != nil {
		n++
	}
	for _, h := range c.Hosts {
		if h.Capture != nil {
			n++
		}
	}
	return n
}

// addresses gives each host its own: 10.0.1.1 and up on the client's side,
// 10.0.2.1 and up on the server's, in the order of the hosts. They are private to
// the lab (RFC 1918) and cannot meet those of the machine.
func (c Config) addresses() map[string]netip.Addr {
	out := make(map[string]netip.Addr, len(c.Hosts))
	var next [2]byte
	for _, h := range c.Hosts {
		next[h.Side]++
		out[h.Name] = netip.AddrFrom4([4]byte{10, 0, 1 + byte(h.Side), next[h.Side]})
	}
	return out
}

// hostsFile is /etc/hosts of the lab: every host with its aliases. machine is
// this machine's own name, which programs look up to find out who they are.
func (c Config) hostsFile(machine string) []byte {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost\n")
	addrs := c.addresses()
	taken := false
	for _, h := range c.Hosts {
		for _, name := range append([]string{h.Name}, h.Aliases...) {
			fmt.Fprintf(&b, "%v %s\n", addrs[h.Name], name)
			taken = taken || name == machine
		}
	}
	if IsHostName(strings.ToLower(machine)) && !taken && machine != "localhost" {
		fmt.Fprintf(&b, "127.0.1.1 %s\n", machine)
	}
	return []byte(b.String())
}
