package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seed-5afa5581/graft/kernels"
	"github.com/seed-5afa5581/graft/lora"
	"github.com/seed-5afa5581/graft/model"
	"github.com/seed-5afa5581/graft/plan"
	"github.com/seed-5afa5581/graft/quant"
)

var planCommand = command{
	name: "plan", arguments: "--model DIR [flags of graft train]", summary: "tell how much memory training would take",
	details: "Prints how much memory graft train would take with the same flags, by component, and\n" +
		"the most tokens at once that fit. It reads config.json alone: --model may be such a\n" +
		"file, with no weights beside it. --memory plans for a graphics processor with so many\n" +
		"bytes, such as 24GB, instead of this machine.",
	groups: trainGroups,
	prepare: func(f *flag.FlagSet) func(context.Context, streams, []string) error {
		p := &planning{training: training{flagSet: f}}
		p.training.flags(f)
		f.StringVar(&p.memory, "memory", "", "`SIZE` of a graphics processor's memory to plan for, such as 24GB")
		return p.run
	},
}

// planning is the flags of graft plan.
type planning struct {
	training
	memory string
}

func (p *planning) run(_ context.Context, s streams, args []string) error {
	if err := noArguments(args); err != nil {
		return err
	}
	if p.model == "" {
		return usagef("--model is missing")
	}
	if err := p.configure(); err != nil {
		return err
	}
	machine, err := p.machine()
	if err != nil {
		return err
	}
	x, err := p.plan(machine)
	if err != nil && !errors.Is(err, plan.ErrNoRoom) {
		return err
	}
	if fault := writePlan(s.out, x); fault != nil {
		return fault
	}
	return errors.Join(err, x.Check())
}

// machine returns what is planned for.
func (p *planning) machine() (plan.Machine, error) {
	if p.memory == "" {
		return p.here()
	}
	n, err := parseBytes(p.memory)
	return plan.GPU("a GPU of "+p.memory, n), err
}

// here is the machine that --device is of.
func (t *training) here() (plan.Machine, error) {
	dev, err := kernels.Open(t.device)
	if err != nil {
		return plan.Machine{}, err
	}
	return plan.On(dev.Info()), dev.Close()
}

// writePlan prints a plan and what room it leaves.
func writePlan(w io.Writer, p plan.Plan) error {
	how := "computed again on the way back"
	if p.Job.Train.NoRecompute {
		how = "kept"
	}
	fmt.Fprintf(w, "%s parameters train; %d tokens at once, activations %s\n", count(int(p.Trained)), p.Job.Tokens(), how)
	if err := p.Write(w); err != nil {
		return err
	}
	if p.Machine.Free == 0 {
		return nil
	}
	for _, keep := range []bool{false, true} {
		most, err := plan.Most(p.Job, p.Machine, keep)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "at most %d tokens at once fit with activations %s\n", most, map[bool]string{true: "kept", false: "computed again"}[keep])
	}
	return nil
}

// job describes what is to be trained, from config.json alone.
func (t *training) job() (j plan.Job, err error) {
	path := t.model
	if filepath.Ext(path) != ".json" {
		path = filepath.Join(path, "config.json")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return j, err
	}
	j = plan.Job{Train: t.config, MaxLen: t.records.MaxLen, HeldOut: t.heldOut != ""}
	if j.Model, err = model.ParseConfig(text); err != nil {
		return j, err
	}
	if j.Storage, err = model.ParseStorage(text); err != nil {
		return j, err
	}
	options, err := t.options()
	if err == nil && options.Quantize != nil && j.Storage.Linears == nil {
		j.Storage.Linears = &quant.Config{Type: options.Quantize.Type}
	}
	if t.full {
		if t.frozen > 0 {
			j.Trains = t.trains
		}
		return j, err
	}
	adapter := t.lora
	adapter.Layers = t.layers(j.Model.Layers)
	j.LoRA = &adapter
	if t.adapter != "" {
		var c lora.Config
		c, err = lora.ReadConfig(t.adapter)
		j.LoRA = &c
	}
	return j, err
}

// plan plans the run, and with --auto chooses how it uses memory.
func (t *training) plan(m plan.Machine) (plan.Plan, error) {
	j, err := t.job()
	if err != nil {
		return plan.Plan{}, err
	}
	if t.auto {
		return plan.Fit(j, m)
	}
	return plan.New(j, m)
}

// checkPlan prints the plan, refuses a run that does not fit, and takes over what
// --auto has chosen.
func (t *training) checkPlan(s streams) error {
	machine, err := t.here()
	if err != nil {
		return err
	}
	p, err := t.plan(machine)
	if err != nil {
		return err
	}
	t.config.MicroTokens, t.config.NoRecompute = p.Job.Train.MicroTokens, p.Job.Train.NoRecompute
	fault := p.Check()
	if fault == nil && t.quiet {
		return nil
	}
	fmt.Fprintln(s.err, "memory that the run takes at most, as planned:")
	return errors.Join(p.Write(s.err), fault)
}

// parseBytes reads a size such as 24GB or 80GiB.
func parseBytes(text string) (int64, error) {
	digits := strings.TrimRight(text, "BbGgMmiI ")
	n, err := strconv.ParseFloat(digits, 64)
	units := map[string]float64{"gb": 1e9, "g": 1e9, "gib": 1 << 30, "mb": 1e6, "m": 1e6, "mib": 1 << 20, "b": 1, "": 1}
	unit, ok := units[strings.ToLower(strings.TrimSpace(text[len(digits):]))]
	if err != nil || !ok || !(n > 0) {
		return 0, usagef("--memory %s: give a size such as 24GB", text)
	}
	return int64(n * unit), nil
}
