package lab

import (
	"slices"
	"strings"
	"testing"
)

// The least that helps comes first: a run as root before a rule for this program, and that
// before a setting for all.
func TestLeastFirst(t *testing.T) {
	for _, tt := range []struct {
		name, setting, value string
		root                 bool
		want                 []string
	}{
		{"Ubuntu", "kernel.apparmor_restrict_unprivileged_userns", "1\n", false, []string{"sudo /bin/linger compare", "profile linger /bin/linger flags=(unconfined) { userns, }", "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"}},
		{"Ubuntu, as root", "kernel.apparmor_restrict_unprivileged_userns", "1\n", true, nil},
		{"Debian", "kernel.unprivileged_userns_clone", "0\n", false, []string{"sudo /bin/linger compare", "sudo sysctl kernel.unprivileged_userns_clone=1"}},
		{"no namespaces at all", "user.max_net_namespaces", "0\n", true, []string{"sudo sysctl user.max_net_namespaces=15000"}},
		{"nothing closed", "user.max_net_namespaces", "4096\n", false, nil},
	} {
		ways := settingWays(func(name string) string {
			if name == tt.setting {
				return tt.value
			}
			return ""
		}, tt.root, "/bin/linger")
		fits := func(w Way, want string) bool {
			return strings.Contains(w.Do, want) && w.For != "" && !strings.Contains(w.Do, "\n")
		}
		if !slices.EqualFunc(ways, tt.want, fits) {
			t.Errorf("%s: %q, want %q", tt.name, ways, tt.want)
		}
	}
}

// Of a container's bounds, those are lifted that it has; every right comes last.
func TestContainersBounds(t *testing.T) {
	for _, tt := range []struct {
		filtered bool
		profile  string
		want     string
	}{
		{true, "docker-default (enforce)\n", "start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined"},
		{true, "unconfined\n", "start the container with --security-opt seccomp=unconfined"},
		{true, "", "start the container with --security-opt seccomp=unconfined"},
		{false, "podman (enforce)\x00", "start the container with --security-opt apparmor=unconfined"},
		{false, "", "start the container with --device /dev/net/tun --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined"},
	} {
		ways := containerWays(tt.filtered, tt.profile)
		if ways[0].Do != tt.want || !strings.Contains(ways[len(ways)-1].Do, "--privileged") {
			t.Errorf("%v, %q: %q, want first %q", tt.filtered, tt.profile, ways, tt.want)
		}
	}
}
