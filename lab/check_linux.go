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

	"linger/lab/pump"
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

// wants are what the lab wants of a machine, as if it were there, with what each is for.
func wants(name, found, gives string, needed bool) Finding {
	return Finding{Name: name, Needed: needed, OK: true, Found: found, Gives: gives}
}

// Check looks at what this machine permits, by trying it; nothing is left behind.
func Check() []Finding {
	out := []Finding{findTUN()}
	namespaces := wants(wantNamespaces, "user, mount, process and network namespaces without root", "the hosts of the lab", true)
	l, err := launch(context.Background())
	if err != nil {
		return append(append(out, namespaces.lacks(err.Error(), namespaceWays(err)...)), findMachine()...)
	}
	defer l.Close()
	a, err := l.ask(context.Background(), request{Check: &struct{}{}})
	if err != nil {
		namespaces = namespaces.lacks(err.Error(), namespaceWays(err)...)
	}
	if tun := out[0]; !tun.OK {
		for i, f := range a.Findings { // nothing else can be told of what is made of one
			if f.Name == wantOffload || f.Name == wantHost {
				a.Findings[i] = f.lacks(tun.Found, tun.Ways...)
			}
		}
	}
	return append(append(append(out, namespaces), a.Findings...), findMachine()...)
}

// checkInside is the part of Check that needs the namespaces. It runs in the
// first process of a lab.
func checkInside() []Finding {
	mounts := wants(wantMounts, "a /proc, /etc/hosts and /etc/resolv.conf of its own", "names of hosts, and a /proc, for programs in the lab", false)
	if notes, err := mountAll(nil); err != nil {
		mounts.Needed = true
		mounts = mounts.lacks(err.Error(), namespaceWays(err)...)
	} else if len(notes) > 0 {
		mounts = mounts.lacks(strings.Join(notes, "; "), masked()...)
	}

	offload := wants(wantOffload, "virtio-net headers, checksums and TCP segmentation on TUN devices", "the links of the lab", true)
	if fd, err := pump.OpenTUN(pump.DeviceName); err != nil {
		offload = offload.lacks(err.Error(), tunWays(err)...)
	} else {
		unix.Close(fd)
	}

	made := wants(wantHost, "a device, an address, a route and every sysctl of a host can be set", "hosts that are alike, whatever this machine's settings", true)
	congestion := wants(wantCongestion, algorithm+", as the default of each host", algorithm+" at both ends, whatever this machine's default", false)
	diagnostics := wants(wantDiagnostics, "sockets by state, with the memory that they hold", "counts of sockets, and their memory", false)
	h, err := newNetns(HostConfig{Name: "check"}, netip.AddrFrom4([4]byte{10, 0, 1, 1}), nil)
	if err != nil {
		return []Finding{mounts, offload, made.lacks(err.Error(), namespaceWays(err)...)}
	}
	if len(h.notes) > 0 {
		made.Needed = false
		made = made.lacks(strings.Join(h.notes, "; "), masked()...)
	}
	switch {
	case h.routed:
		congestion.Found = algorithm + ", by the route of each host"
	case h.algorithmErr != nil:
		congestion = congestion.lacks(h.algorithmErr.Error(),
			Way{"sudo modprobe tcp_" + algorithm, "the lab; the default of the machine stays"},
			Way{"sudo sysctl net.ipv4.tcp_congestion_control=" + algorithm, forEveryone})
	}
	if h.diagErr != nil {
		diagnostics = diagnostics.lacks(h.diagErr.Error(), Way{"sudo modprobe -a inet_diag tcp_diag", forEveryone})
	}
	return []Finding{mounts, offload, made, congestion, diagnostics}
}

// findMachine is the part of Check that is not about rights.
func findMachine() []Finding {
	more := Way{moreFiles, forShell}
	files := wants(wantFiles, "", "strategies of many connections", false)
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		files = files.lacks("the limit cannot be read", more)
	} else if files.Found = fmt.Sprintf("a process may open %d", limit.Max); limit.Max < enoughFiles {
		files = files.lacks(files.Found, more)
	}
	cores := wants(wantCores, fmt.Sprintf("%d", runtime.NumCPU()), "packets on time while programs run", false)
	if runtime.NumCPU() < enoughCores {
		cores = cores.lacks(cores.Found, Way{"keep to slow networks; lateness says whether it mattered", "this program alone"},
			Way{"give the machine a second processor", forMachine})
	}
	clock := wants(wantClock, "unknown", "the time of a packet within nanoseconds", false)
	if name := strings.TrimSpace(readText("/sys/devices/system/clocksource/clocksource0/current_clocksource")); name != "" {
		clock.Found = name
		// Reading these takes a trip to a device, about a microsecond, each time.
		if name == "hpet" || name == "acpi_pm" {
			clock = clock.lacks(name+", of which each reading takes about a microsecond", Way{"start the kernel with clocksource=tsc tsc=reliable", forMachine})
		}
	}
	return []Finding{files, cores, clock}
}

// findTUN looks whether this process may use TUN devices at all.
func findTUN() Finding {
	f := wants(wantTUN, "readable and writable", "the links of the lab", true)
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return f.lacks(fmt.Sprintf("cannot open /dev/net/tun: %v", err), tunWays(err)...)
	}
	unix.Close(fd)
	return f
}

// Whom a way permits something, and for how long.
const (
	forRun       = "one run, as root; nothing of the machine is changed"
	forUser      = "you alone, until the machine restarts"
	forLinger    = "this program alone, for good"
	forEveryone  = "every program and user, until the machine restarts"
	forShell     = "what this shell starts"
	forContainer = "this container alone"
	forMachine   = "the machine"
)

// moreFiles raises the hard limit of the shell that it is written in, which a user may not.
const moreFiles = "sudo prlimit --pid $$ --nofile=20000"

// inContainer is how a container is started with further rights.
func inContainer(options string) Way {
	return Way{"start the container with " + options, forContainer}
}

// anything are the ways where it is not known which of a container's bounds is met: all that
// the lab needs, then every right that there is.
func anything() []Way {
	return []Way{
		{inContainer("--device /dev/net/tun --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined").Do, "this container, all that a lab may need"},
		{"start the container with --privileged", "this container, with every right of its host"},
	}
}

// tunWays is how to permit TUN devices.
func tunWays(err error) []Way {
	device, module := inContainer("--device /dev/net/tun"), Way{"sudo modprobe tun", forEveryone}
	switch {
	case errors.Is(err, unix.EACCES):
		return []Way{
			{fmt.Sprintf("sudo setfacl -m u:%d:rw /dev/net/tun", os.Geteuid()), forUser},
			{"sudo chmod 666 /dev/net/tun", forEveryone}, // as distributions have it
		}
	case errors.Is(err, unix.EPERM):
		return []Way{device}
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		if confined() {
			return []Way{device, module}
		}
		return []Way{module, device}
	}
	return []Way{{"take Linux 3.10 or later with CONFIG_TUN", forMachine}}
}

// confined reports whether system calls of this process are filtered, as in containers.
func confined() bool { return strings.Contains(readText("/proc/self/status"), "\nSeccomp:\t2\n") }

// readText is a file of the kernel's, empty where it cannot be read.
func readText(name string) string {
	b, _ := os.ReadFile(name)
	return string(b)
}

// ourselves is this program's path for a shell.
func ourselves() string {
	path, err := os.Executable()
	if err != nil || strings.ContainsAny(path, " \t\n'\"\\$`&|;<>()*?[]{}~#!%") {
		return "/PATH/TO/linger"
	}
	return path
}

// The settings of a machine that refuse namespaces.
var closing = []struct {
	name   string
	closed string
	rooted bool // holds back root as well
	open   string
}{
	{"user.max_user_namespaces", "0", true, "15000"},
	{"user.max_mnt_namespaces", "0", true, "15000"},
	{"user.max_pid_namespaces", "0", true, "15000"},
	{"user.max_net_namespaces", "0", true, "15000"},
	{"kernel.unprivileged_userns_clone", "0", false, "1"}, // Debian, Arch
	{restrictedByAppArmor, "1", false, "0"},               // Ubuntu 23.10 and later
}

const restrictedByAppArmor = "kernel.apparmor_restrict_unprivileged_userns"

// settingWays is how to permit what the first of those settings refuses that is closed, nil if
// none is. value reads one.
func settingWays(value func(name string) string, root bool, program string) []Way {
	for _, s := range closing {
		if strings.TrimSpace(value(s.name)) != s.closed || root && !s.rooted {
			continue
		}
		var ways []Way
		if !s.rooted {
			ways = append(ways, Way{"sudo " + program + " compare", forRun})
		}
		if s.name == restrictedByAppArmor {
			ways = append(ways, Way{"printf 'abi <abi/4.0>,\\ninclude <tunables/global>\\nprofile linger " + program +
				" flags=(unconfined) { userns, }\\n' | sudo tee /etc/apparmor.d/linger && sudo apparmor_parser -r /etc/apparmor.d/linger", forLinger})
		}
		return append(ways, Way{fmt.Sprintf("sudo sysctl %s=%s", s.name, s.open), forEveryone})
	}
	return nil
}

// namespaceWays is how to permit what err was refused: the first setting of this
// machine that explains it, or advice for containers, as far as their bounds can be seen.
func namespaceWays(err error) []Way {
	sysctl := func(name string) string { return readText("/proc/sys/" + strings.ReplaceAll(name, ".", "/")) }
	if ways := settingWays(sysctl, os.Geteuid() == 0, ourselves()); ways != nil {
		return ways
	}
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EUSERS):
		return []Way{
			{"end what holds namespaces; too many are open, or nested", forMachine},
			{"sudo sysctl user.max_user_namespaces=15000 user.max_net_namespaces=15000", forEveryone},
		}
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		return []Way{{moreFiles, forShell}}
	case errors.Is(err, unix.EAGAIN):
		return []Way{{"end some processes", forMachine}, {"ulimit -u 10000", forShell}}
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		return []Way{{"take Linux with CONFIG_USER_NS, CONFIG_PID_NS and CONFIG_NET_NS", forMachine}}
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, fs.ErrPermission):
		return containerWays(confined(), readText("/proc/self/attr/current"))
	}
	return []Way{{"see what linger doctor finds", forMachine}}
}

// containerWays is how to permit what a container refuses, by the bounds that it has: a filter
// of system calls, a profile of AppArmor.
func containerWays(filtered bool, profile string) []Way {
	var options []string
	if filtered {
		options = append(options, "--security-opt seccomp=unconfined")
	}
	if profile = strings.TrimRight(profile, "\x00\n"); profile != "" && profile != "unconfined" {
		options = append(options, "--security-opt apparmor=unconfined")
	}
	if len(options) == 0 {
		return anything()
	}
	return append([]Way{inContainer(strings.Join(options, " "))}, anything()...)
}

// masked is how to permit what a container hides or has read-only of /proc.
func masked() []Way {
	return append([]Way{inContainer("--security-opt systempaths=unconfined")}, anything()...)
}

// unsupported is the one line of an Open that this machine does not allow.
func unsupported(found error, fix string) error {
	return fmt.Errorf("%w: %w; %s", ErrUnsupported, found, fix)
}

// remoteError is the error that an answer holds.
func remoteError(a answer) error {
	err := error(insideError{a.Error, unix.Errno(a.Errno)})
	if a.Unsupported {
		return unsupported(err, namespaceWays(err)[0].Do)
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
