package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"linger"
	"linger/lab/pump"
	"linger/sockdiag"
)

// namespaces says how the first process inside is made: in user, mount, process
// and network namespaces of its own, to be killed with the thread that made it.
// The user stays who they are; what lets the process build the lab are two
// capabilities over its own namespaces, a third lets it see on which host a process
// is that has changed its user, and commands do not inherit them.
func namespaces() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET,
		Pdeathsig:   unix.SIGKILL,
		AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SYS_PTRACE},
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}},
	}
	// Who may map every user does so, or root's programs could not become
	// another user in the lab, as servers do (user_namespaces(7)).
	if mayMapAll() {
		uids, errU := idMap("/proc/self/uid_map")
		gids, errG := idMap("/proc/self/gid_map")
		if errU == nil && errG == nil {
			attr.UidMappings, attr.GidMappings = uids, gids
			// What a user namespace denies, those within it cannot allow.
			b, err := os.ReadFile("/proc/self/setgroups")
			attr.GidMappingsEnableSetgroups = err == nil && strings.TrimSpace(string(b)) == "allow"
		}
	}
	return attr
}

// mayMapAll reports whether this process may map users and groups beside its own.
func mayMapAll() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return false
	}
	const need = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID
	return data[0].Effective&need == need
}

// idMap returns the mapping that gives each ID of this namespace to itself.
func idMap(path string) ([]syscall.SysProcIDMap, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []syscall.SysProcIDMap
	for line := range strings.Lines(string(b)) {
		var inside, outside, size int
		if _, err := fmt.Sscan(line, &inside, &outside, &size); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", path, line, err)
		}
		out = append(out, syscall.SysProcIDMap{ContainerID: inside, HostID: inside, Size: size})
	}
	return out, nil
}

// dropInheritable sees to it that programs which the calling thread starts are
// given no capability by it: lowering the inheritable set lowers the ambient one
// (capabilities(7)).
func dropInheritable() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return os.NewSyscallError("capget", err)
	}
	data[0].Inheritable, data[1].Inheritable = 0, 0
	return os.NewSyscallError("capset", unix.Capset(&header, &data[0]))
}

// mountAll makes the lab's own view of the file system: /proc shows the lab's
// processes, and /etc/hosts and /etc/resolv.conf are the lab's. What this machine
// refuses is returned as notes; the lab goes on without it.
func mountAll(hosts []byte) (notes []string, err error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("cannot make the lab's mounts private: %w", err)
	}
	// A container that hides parts of /proc may not mount it anew
	// (mount_namespaces(7), "restrictions on mount namespaces").
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		notes = append(notes, fmt.Sprintf("/proc cannot be mounted anew (%v): programs in the lab see the numbers of the processes outside", err))
	}
	if err := bindFile("/etc/hosts", hosts); err != nil {
		notes = append(notes, fmt.Sprintf("hosts do not resolve by name, use their addresses: %v", err))
	}
	// A look-up that /etc/hosts does not answer fails at once, since nothing
	// listens there, instead of waiting for a server that the lab cannot reach.
	if err := bindFile("/etc/resolv.conf", []byte("nameserver 127.0.0.1\noptions attempts:1 timeout:1\n")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		notes = append(notes, fmt.Sprintf("look-ups of names that are not in the lab may hang: %v", err))
	}
	return notes, nil
}

// mountScratch makes a folder empty, for this mount namespace only.
func mountScratch(path string) error {
	if err := unix.Mount("tmpfs", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0700,size=1g"); err != nil {
		return fmt.Errorf("cannot mount a tmpfs over %s: %w", path, err)
	}
	return nil
}

// bindFile puts content in the place of a file, for this mount namespace only. It
// lives in a tmpfs that is hidden again at once: no disk ever holds it.
func bindFile(path string, content []byte) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	const at = "/tmp"
	if err := unix.Mount("tmpfs", at, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0755,size=1m"); err != nil {
		return fmt.Errorf("cannot mount a tmpfs for %s: %w", path, err)
	}
	defer unix.Unmount(at, unix.MNT_DETACH)
	if err := os.WriteFile(at+"/file", content, 0o644); err != nil {
		return fmt.Errorf("cannot write the lab's %s: %w", path, err)
	}
	if err := unix.Mount(at+"/file", path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("cannot put the lab's file over %s: %w", path, err)
	}
	return nil
}

// childTable is how many buckets each host's own table of connections has. A
// table that is shared with the whole machine would be walked in full, 262,144
// buckets on a machine of 24 GB, whenever a host's sockets are counted.
const childTable = "4096"

// A sysctl is one parameter of each host, below /proc/sys/net.
type sysctl struct {
	path, value, why string
}

// sysctls are what a host behaves by. They are set, never inherited, so that two
// machines measure the same thing; where no other reason stands, the value is
// the default of Linux since 4.20 (Documentation/networking/ip-sysctl.rst).
func sysctls(gid int) []sysctl {
	const isDefault = "the kernel's default, whatever this machine has changed it to"
	group := strconv.Itoa(gid)
	return []sysctl{
		{"ipv4/tcp_no_metrics_save", "1", "else ssthresh and RTT of one connection start the next, and order decides a comparison"},
		{"ipv4/tcp_rmem", "4096 131072 6291456", isDefault},
		{"ipv4/tcp_wmem", "4096 16384 4194304", isDefault},
		{"ipv4/tcp_moderate_rcvbuf", "1", isDefault},
		{"ipv4/tcp_adv_win_scale", "1", isDefault},
		{"ipv4/tcp_window_scaling", "1", isDefault},
		{"ipv4/tcp_timestamps", "1", isDefault},
		{"ipv4/tcp_sack", "1", isDefault},
		{"ipv4/tcp_dsack", "1", isDefault},
		{"ipv4/tcp_ecn", "2", "the kernel's default: only when asked; the path marks nothing"},
		{"ipv4/tcp_fastopen", "3", "the kernel's default, for clients, and servers too: whoever asks for it"},
		{"ipv4/tcp_slow_start_after_idle", "1", "the kernel's default, RFC 5681, 4.1: part of what a kept connection costs"},
		{"ipv4/tcp_early_retrans", "3", isDefault},
		{"ipv4/tcp_recovery", "1", isDefault},
		{"ipv4/tcp_frto", "2", isDefault},
		{"ipv4/tcp_reordering", "3", isDefault},
		{"ipv4/tcp_retries2", "15", isDefault},
		{"ipv4/tcp_syn_retries", "6", isDefault},
		{"ipv4/tcp_synack_retries", "5", isDefault},
		{"ipv4/tcp_syncookies", "1", isDefault},
		{"ipv4/tcp_autocorking", "1", isDefault},
		{"ipv4/tcp_mtu_probing", "0", isDefault},
		{"ipv4/tcp_notsent_lowat", "4294967295", isDefault},
		{"ipv4/tcp_fin_timeout", "60", isDefault},
		{"ipv4/tcp_tw_reuse", "2", "the kernel's default: on loopback only, so that TIME_WAIT costs here what it costs outside"},
		{"ipv4/tcp_max_tw_buckets", "262144", "the default grows with memory; this holds every port of four addresses"},
		{"ipv4/tcp_max_syn_backlog", "4096", "the default grows with memory"},
		{"ipv4/tcp_abort_on_overflow", "0", isDefault},
		{"ipv4/tcp_keepalive_time", "7200", isDefault},
		{"ipv4/ip_local_port_range", "32768 60999", isDefault},
		{"ipv4/ip_unprivileged_port_start", "0", "servers listen on port 80 without rights"},
		{"ipv4/ping_group_range", group + " " + group, "ping works without rights"},
		{"ipv4/conf/all/rp_filter", "0", "inherited from the machine otherwise; each host has one interface"},
		{"core/somaxconn", "4096", isDefault},
		{"ipv6/conf/default/disable_ipv6", "1", "no router solicitations in the ledger"},
	}
}

// setSysctl writes one parameter in the calling thread's network namespace. One
// that this kernel does not have is no error.
func setSysctl(path, value string) error {
	f, err := os.OpenFile("/proc/sys/net/"+path, os.O_WRONLY, 0)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	_, err = f.WriteString(value)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// A netns is the network namespace of one host. It is a goroutine that is locked
// to a thread inside it; whatever must happen in the namespace is sent to it.
type netns struct {
	name string
	addr netip.Addr
	port pump.Port
	diag *sockdiag.Socket // opened inside; nil is none
	work chan func()
	// namespace is how /proc names it, and counted whether its processes are.
	namespace string
	counted   bool

	// What this machine did not allow.
	notes        []string
	routed       bool  // the route sets the congestion control, not the default
	algorithmErr error // neither does
	diagErr      error
}

// allNotes are the notes with what else was not allowed, a sentence each.
func (h *netns) allNotes() []string {
	notes := slices.Clone(h.notes)
	if h.algorithmErr != nil {
		notes = append(notes, h.algorithmErr.Error())
	}
	if h.diagErr != nil {
		notes = append(notes, fmt.Sprintf("sockets are not counted: %v", h.diagErr))
	}
	return notes
}

// has reports whether an address is one of the host's.
func (h *netns) has(a netip.Addr) bool { return a == h.addr || h.port.Range.Contains(a) }

// newNetns makes the namespace with its device, addresses and routes. ranges are the further
// addresses of all hosts, by their names.
func newNetns(c HostConfig, addr netip.Addr, ranges map[string]netip.Prefix) (*netns, error) {
	h := &netns{name: c.Name, addr: addr, work: make(chan func()), counted: c.Processes && ownProc()}
	h.port = pump.Port{FD: -1, Addr: addr, Range: ranges[c.Name], Side: c.Side, Delay: c.Delay, Capture: c.Capture}
	made := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and the namespace with it.
		runtime.LockOSThread()
		err := h.build(c.Sysctls, ranges)
		made <- err
		if err != nil {
			return
		}
		for f := range h.work {
			f()
		}
	}()
	if err := <-made; err != nil {
		return nil, fmt.Errorf("cannot make the host %q: %w", c.Name, err)
	}
	return h, nil
}

// do runs f inside the namespace.
func (h *netns) do(f func()) {
	done := make(chan struct{})
	h.work <- func() { defer close(done); f() }
	<-done
}

func (h *netns) build(wanted map[string]string, ranges map[string]netip.Prefix) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := dropInheritable(); err != nil {
		return err
	}
	h.namespace = namespaceOf("thread-self")
	table := sysctls(os.Getegid())
	var refusals []error
	for _, s := range table {
		if err := setSysctl(s.path, s.value); err != nil {
			refusals = append(refusals, err)
		}
	}
	if len(refusals) > 0 {
		h.notes = append(h.notes, fmt.Sprintf("%d of the %d sysctls of a host cannot be set and stay as this machine has them; the first: %v", len(refusals), len(table), refusals[0]))
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if err := wantSysctl(name, wanted[name]); err != nil {
			return err
		}
	}
	var err error
	if h.port.FD, err = pump.OpenTUN(pump.DeviceName); err != nil {
		return err
	}
	// The device shall go with its namespace, which the kernel takes down behind
	// everyone's back. Otherwise it goes when its descriptor is closed, and
	// whoever closes that, the end of the lab, waits 25 ms for each host.
	if err := unix.IoctlSetInt(h.port.FD, unix.TUNSETPERSIST, 1); err != nil {
		return os.NewSyscallError("TUNSETPERSIST", err)
	}
	if err := h.connect(ranges); err != nil {
		return err
	}
	h.diag, h.diagErr = sockdiag.Open()
	return nil
}

// wantSysctl sets a parameter that was asked for by name, "net.ipv4.tcp_tw_reuse", in the
// calling thread's network namespace.
func wantSysctl(name, value string) error {
	below, ok := strings.CutPrefix(strings.ReplaceAll(name, ".", "/"), "net/")
	if _, err := os.Stat("/proc/sys/net/" + below); !ok || err != nil || strings.Contains(below, "//") {
		return fmt.Errorf("%s is no parameter of a network namespace on this kernel", name)
	}
	if err := setSysctl(below, value); err != nil {
		return fmt.Errorf("%s cannot be set to %q: %w", name, value, err)
	}
	return nil
}

// connect gives the device its address and makes it the way to the other hosts.
func (h *netns) connect(ranges map[string]netip.Prefix) error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("cannot find the loopback interface: %w", err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return fmt.Errorf("cannot set the loopback interface up: %w", err)
	}
	device, err := netlink.LinkByName(pump.DeviceName)
	if err != nil {
		return fmt.Errorf("cannot find %s: %w", pump.DeviceName, err)
	}
	if err := netlink.LinkSetMTU(device, linger.MTU); err != nil {
		return fmt.Errorf("cannot set the MTU of %s: %w", pump.DeviceName, err)
	}
	if err := netlink.LinkSetTxQLen(device, pump.TUNQueue); err != nil {
		return fmt.Errorf("cannot set the queue length of %s: %w", pump.DeviceName, err)
	}
	address, err := netlink.ParseAddr(netip.PrefixFrom(h.addr, h.addr.BitLen()).String())
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(device, address); err != nil {
		return fmt.Errorf("cannot give %s its address: %w", pump.DeviceName, err)
	}
	if err := netlink.LinkSetUp(device); err != nil {
		return fmt.Errorf("cannot set %s up: %w", pump.DeviceName, err)
	}
	// Packets go straight to the pump: no queue but the emulated one.
	direct := &netlink.GenericQdisc{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: device.Attrs().Index, Parent: netlink.HANDLE_ROOT},
		QdiscType:  "noqueue",
	}
	if err := netlink.QdiscReplace(direct); err != nil {
		h.notes = append(h.notes, fmt.Sprintf("the queueing discipline of %s stays this machine's default: %v", pump.DeviceName, err))
	}
	// To the other hosts only: whoever dials an address of the world outside is told
	// at once that there is no way, rather than left to wait.
	hosts := []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10}), 16)}
	for name, r := range ranges {
		if name != h.name {
			hosts = append(hosts, r)
		}
	}
	for _, to := range hosts {
		route := &netlink.Route{LinkIndex: device.Attrs().Index, Scope: netlink.SCOPE_LINK, Dst: ipNet(to)}
		if err := h.route(route); err != nil {
			return err
		}
	}
	if !h.port.Range.IsValid() {
		return nil
	}
	// One route makes every address of the range the host's own, to bind and to be reached at.
	own := &netlink.Route{
		LinkIndex: loopback.Attrs().Index, Dst: ipNet(h.port.Range),
		Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST, Table: unix.RT_TABLE_LOCAL,
	}
	if err := netlink.RouteAdd(own); err != nil {
		return fmt.Errorf("cannot make %v addresses of the host: %w", h.port.Range, err)
	}
	return nil
}

// ipNet is a prefix as netlink has it.
func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// algorithm is the congestion control of every connection in the lab: Linux's
// default since 2.6.19, whatever this machine's is.
const algorithm = "cubic"

// route adds a route to other hosts and makes algorithm the congestion control. A user
// namespace may not make an algorithm its default which this machine restricts
// (net.ipv4.tcp_allowed_congestion_control); the route may name any that is
// loaded, and then decides instead of the default.
func (h *netns) route(r *netlink.Route) error {
	if setSysctl("ipv4/tcp_congestion_control", algorithm) != nil {
		r.Congctl = algorithm
		err := netlink.RouteAdd(r)
		if err == nil {
			h.routed = true
			return nil
		}
		r.Congctl = ""
		has, readErr := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
		if readErr != nil {
			has = []byte("this machine's default")
		}
		h.algorithmErr = fmt.Errorf("congestion control is %s, not %s: %w", bytes.TrimSpace(has), algorithm, err)
	}
	if err := netlink.RouteAdd(r); err != nil {
		return fmt.Errorf("cannot add the route to the other hosts: %w", err)
	}
	return nil
}
