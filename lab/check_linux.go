package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// What the lab wants of a machine, in the order of Check.
const (
	wantTUN         = "/dev/net/tun"
	wantNamespaces  = "namespaces"
	wantMounts      = "mounts"
	wantOffload     = "segmentation offload"
	wantHost        = "network settings"
	wantCongestion  = "congestion control"
	wantDiagnostics = "socket diagnostics"
	wantFiles       = "open files"
	wantCores       = "processors"
	wantClock       = "clock"
)

const (
	// enoughFiles is what programs may expect anywhere, and more than the
	// connections of any one strategy.
	enoughFiles = 1024
	// enoughCores lets the pump run while a program does.
	enoughCores = 2
)

const containerFix = "in a container, start it with --privileged, or with --device /dev/net/tun --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined"

// Check looks at what this machine permits, by trying it; nothing is left behind.
func Check() []Finding {
	tun := findTUN()
	out := []Finding{tun}
	l, err := launch(context.Background())
	if err != nil {
		return append(append(out, Finding{Name: wantNamespaces, Needed: true, Found: err.Error(), Fix: namespaceFix(err)}), findMachine()...)
	}
	defer l.Close()
	a, err := l.ask(context.Background(), request{Check: &struct{}{}})
	if err != nil {
		out = append(out, Finding{Name: wantNamespaces, Needed: true, Found: err.Error(), Fix: namespaceFix(err)})
	} else {
		out = append(out, Finding{Name: wantNamespaces, Needed: true, OK: true, Found: "user, mount, process and network namespaces without root"})
	}
	return append(append(out, a.Findings...), findMachine()...)
}

// checkInside is the part of Check that needs the namespaces. It runs in the
// first process of a lab.
func checkInside() []Finding {
	mounts := Finding{Name: wantMounts, OK: true, Found: "a /proc, /etc/hosts and /etc/resolv.conf of its own"}
	if notes, err := mountAll(nil); err != nil {
		mounts = Finding{Name: wantMounts, Needed: true, Found: err.Error(), Fix: namespaceFix(err)}
	} else if len(notes) > 0 {
		mounts.OK, mounts.Found, mounts.Fix = false, strings.Join(notes, "; "), containerFix
	}

	offload := Finding{Name: wantOffload, Needed: true, OK: true, Found: "virtio-net headers, checksums and TCP segmentation on TUN devices"}
	if fd, err := openTUN(deviceName); err != nil {
		offload.OK, offload.Found, offload.Fix = false, err.Error(), tunFix(err)
	} else {
		unix.Close(fd)
	}

	made := Finding{Name: wantHost, Needed: true, OK: true, Found: "a device, an address, a route and every sysctl of a host can be set"}
	congestion := Finding{Name: wantCongestion, OK: true, Found: algorithm + ", as the default of each host"}
	diagnostics := Finding{Name: wantDiagnostics, OK: true, Found: "sockets by state, with the memory that they hold"}
	h, err := newNetns(HostConfig{Name: "check"}, netip.AddrFrom4([4]byte{10, 0, 1, 1}))
	if err != nil {
		made.OK, made.Found, made.Fix = false, err.Error(), namespaceFix(err)
		return []Finding{mounts, offload, made}
	}
	if len(h.notes) > 0 {
		made.Needed, made.OK, made.Found, made.Fix = false, false, strings.Join(h.notes, "; "), containerFix
	}
	switch {
	case h.routed:
		congestion.Found = algorithm + ", by the route of each host"
	case h.algorithmErr != nil:
		congestion.OK, congestion.Found = false, h.algorithmErr.Error()
		congestion.Fix = "sudo sysctl net.ipv4.tcp_congestion_control=" + algorithm
	}
	if h.diagErr != nil {
		diagnostics.OK, diagnostics.Found, diagnostics.Fix = false, h.diagErr.Error(), "sudo modprobe -a inet_diag tcp_diag"
	}
	return []Finding{mounts, offload, made, congestion, diagnostics}
}

// findMachine is the part of Check that is not about rights.
func findMachine() []Finding {
	files := Finding{Name: wantFiles, Found: "the limit cannot be read", Fix: "ulimit -n 20000"}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		files.OK, files.Found = limit.Max >= enoughFiles, fmt.Sprintf("a process may open %d", limit.Max)
		if files.OK {
			files.Fix = ""
		}
	}
	cores := Finding{Name: wantCores, OK: true, Found: fmt.Sprintf("%d", runtime.NumCPU())}
	if runtime.NumCPU() < enoughCores {
		cores.OK, cores.Fix = false, "give the machine a second one, or keep to slow networks; lateness says whether it mattered"
	}
	clock := Finding{Name: wantClock, OK: true, Found: "unknown"}
	if b, err := os.ReadFile("/sys/devices/system/clocksource/clocksource0/current_clocksource"); err == nil {
		clock.Found = strings.TrimSpace(string(b))
		// Reading these takes a trip to a device, about a microsecond, each time.
		if clock.Found == "hpet" || clock.Found == "acpi_pm" {
			clock.OK = false
			clock.Fix = "start the kernel with clocksource=tsc tsc=reliable; until then a reading costs about a microsecond"
		}
	}
	return []Finding{files, cores, clock}
}

// findTUN looks whether this process may use TUN devices at all.
func findTUN() Finding {
	f := Finding{Name: wantTUN, Needed: true, OK: true, Found: "readable and writable"}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return Finding{Name: wantTUN, Needed: true, Found: fmt.Sprintf("cannot open /dev/net/tun: %v", err), Fix: tunFix(err)}
	}
	unix.Close(fd)
	return f
}

// tunFix is how to permit TUN devices.
func tunFix(err error) string {
	switch {
	case errors.Is(err, unix.EACCES):
		return "sudo chmod 666 /dev/net/tun"
	case errors.Is(err, unix.EPERM):
		return "in a container, start it with --device /dev/net/tun"
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return "sudo modprobe tun; in a container, start it with --device /dev/net/tun"
	}
	return "Linux 3.10 or later with CONFIG_TUN is needed"
}

// namespaceFix is how to permit what err was refused: the first setting of this
// machine that explains it, or advice for containers, which refuse by filters
// that cannot be read.
func namespaceFix(err error) string {
	for _, s := range []struct {
		name   string
		closed string
		rooted bool // holds back root as well
		open   string
	}{
		{"user.max_user_namespaces", "0", true, "15000"},
		{"user.max_mnt_namespaces", "0", true, "15000"},
		{"user.max_pid_namespaces", "0", true, "15000"},
		{"user.max_net_namespaces", "0", true, "15000"},
		{"kernel.unprivileged_userns_clone", "0", false, "1"},             // Debian, Arch
		{"kernel.apparmor_restrict_unprivileged_userns", "1", false, "0"}, // Ubuntu 23.10 and later
	} {
		b, readErr := os.ReadFile("/proc/sys/" + strings.ReplaceAll(s.name, ".", "/"))
		if readErr == nil && strings.TrimSpace(string(b)) == s.closed && (s.rooted || os.Geteuid() != 0) {
			return fmt.Sprintf("sudo sysctl %s=%s", s.name, s.open)
		}
	}
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EUSERS):
		return "too many namespaces are open, or nested; close some, or: sudo sysctl user.max_user_namespaces=15000 user.max_net_namespaces=15000"
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		return "ulimit -n 20000"
	case errors.Is(err, unix.EAGAIN):
		return "end some processes, or raise their number: ulimit -u 10000"
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		return "Linux with CONFIG_USER_NS, CONFIG_PID_NS and CONFIG_NET_NS is needed"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, fs.ErrPermission):
		return containerFix
	}
	return "see what linger doctor finds"
}

// unsupported is the one line of an Open that this machine does not allow.
func unsupported(found error, fix string) error {
	return fmt.Errorf("%w: %w; %s", ErrUnsupported, found, fix)
}

// remoteError is the error that an answer holds.
func remoteError(a answer) error {
	err := error(insideError{a.Error, unix.Errno(a.Errno)})
	if a.Unsupported {
		return unsupported(err, namespaceFix(err))
	}
	return err
}

// insideError is an error that happened inside, with what is beneath it.
type insideError struct {
	text  string
	errno unix.Errno
}

func (e insideError) Error() string { return e.text }

func (e insideError) Unwrap() error {
	if e.errno == 0 {
		return nil
	}
	return e.errno
}
