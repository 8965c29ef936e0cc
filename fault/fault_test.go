package fault

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

func TestKindOf(t *testing.T) {
	plain := errors.New("it broke")
	for _, c := range []struct {
		name string
		err  error
		want Kind
	}{
		{"nothing", nil, Other},
		{"an error of no kind", plain, Other},
		{"itself", Usage("--rtt: %q is no time", "x"), WrongUsage},
		{"a condition", Unmet("%d cases fail", 2), NotMet},
		{"with nothing left to say", Silent(StoppedEarly), StoppedEarly},
		{"wrapped", fmt.Errorf("dsl: %w", Unreachable("no answer")), TargetUnreachable},
		{"joined: the first of a kind", errors.Join(plain, Machine("disk full"), Usage("no")), MachineUnable},
		{"joined deep inside", fmt.Errorf("a: %w", errors.Join(plain, fmt.Errorf("b: %w", Interrupted("stopped")))), StoppedEarly},
		{"of one that wraps another kind, the outer", Unreachable("server: %w", Machine("no lab")), TargetUnreachable},
	} {
		if got := KindOf(c.err); got != c.want {
			t.Errorf("%s: kind %d, want %d", c.name, got, c.want)
		}
	}
}

func TestWhatIsWrappedIsFound(t *testing.T) {
	if err := Machine("-o x: %w; choose a place", fs.ErrPermission); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v does not wrap its cause", err)
	}
}

func TestNothingLeftToSay(t *testing.T) {
	if err := Silent(StoppedEarly); err.Error() != "" || errors.Is(err, ErrInterrupted) {
		t.Errorf("%q: what has a result is not what was stopped before it had any", err)
	}
	if err := fmt.Errorf("a: %w", ErrInterrupted); !errors.Is(err, ErrInterrupted) {
		t.Errorf("%v is not found again", err)
	}
}
