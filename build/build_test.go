package build

import (
	"runtime/debug"
	"testing"
)

func TestBuilds(t *testing.T) {
	vcs := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef0123"}, {Key: "vcs.time", Value: "2026-11-30T23:59:59Z"}, {Key: "vcs.modified", Value: modified}}
	}
	for want, info := range map[string]*debug.BuildInfo{
		"commit 0123456789ab of 2026-11-30":              {Settings: vcs("false")},
		"commit 0123456789ab of 2026-11-30 with changes": {Settings: vcs("true")},
		"commit fedcba987654 of 2026-02-03":              {Main: debug.Module{Version: "v0.0.0-20260203040506-fedcba987654"}},
		"commit unknown":                                 {Main: debug.Module{Version: "(devel)"}},
	} {
		if got := commitOf(info).String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
