import java.io.FileReader;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import net.minidev.json.JSONArray;
import net.minidev.json.JSONObject;
import net.minidev.json.parser.JSONParser;
import org.btrplace.model.DefaultModel;
import org.btrplace.model.Instance;
import org.btrplace.model.Model;
import org.btrplace.model.Node;
import org.btrplace.model.VM;
import org.btrplace.model.constraint.Fence;
import org.btrplace.model.constraint.MinMTTR;
import org.btrplace.model.constraint.Offline;
import org.btrplace.model.constraint.Preserve;
import org.btrplace.model.constraint.SatConstraint;
import org.btrplace.model.constraint.Spread;
import org.btrplace.model.view.ShareableResource;
import org.btrplace.plan.ReconfigurationPlan;
import org.btrplace.plan.event.Action;
import org.btrplace.plan.event.MigrateVM;
import org.btrplace.scheduler.choco.DefaultChocoScheduler;
import org.btrplace.scheduler.choco.duration.ActionDurationEvaluator;

/**
 * BtrPlace's first plan, in repair mode, of a fleet as bench/fleets writes it. Each migration has its link for itself: times are the
 * memory over the link's speed. Says one line of JSON: {status, moves, mib, cpuMs}; the CPU is the process's own, from its start.
 */
public class PlanFleet {
  public static void main(String[] args) throws Exception {
    JSONObject fleet = (JSONObject) new JSONParser(JSONParser.MODE_PERMISSIVE).parse(new FileReader(args[0]));
    Model model = new DefaultModel();
    ShareableResource memory = new ShareableResource("mem");
    ShareableResource cpu = new ShareableResource("cpu");
    Map<String, Node> nodes = new HashMap<>();
    List<SatConstraint> constraints = new ArrayList<>();
    long speed = 1;
    for (Object each : (JSONArray) fleet.get("nodes")) {
      JSONObject told = (JSONObject) each;
      Node node = model.newNode();
      nodes.put((String) told.get("name"), node);
      model.getMapping().addOnlineNode(node);
      memory.setCapacity(node, number(told, "memMiB"));
      cpu.setCapacity(node, number(told, "cpu"));
      speed = number(told, "upMiBps");
      if (Boolean.TRUE.equals(told.get("maintenance"))) constraints.add(new Offline(node));
    }
    Map<VM, Integer> sizes = new HashMap<>();
    Map<String, Set<VM>> groups = new HashMap<>();
    for (Object each : (JSONArray) fleet.get("vms")) {
      JSONObject told = (JSONObject) each;
      VM vm = model.newVM();
      model.getMapping().addRunningVM(vm, nodes.get((String) told.get("node")));
      memory.setConsumption(vm, number(told, "memMiB"));
      cpu.setConsumption(vm, number(told, "cpu"));
      sizes.put(vm, number(told, "memMiB"));
      if (told.get("wantMemMiB") != null) constraints.add(new Preserve(vm, "mem", number(told, "wantMemMiB")));
      if (told.get("wantCpu") != null) constraints.add(new Preserve(vm, "cpu", number(told, "wantCpu")));
      if (told.get("pin") != null) {
        List<Node> pinned = new ArrayList<>();
        for (Object name : (JSONArray) told.get("pin")) pinned.add(nodes.get(name));
        constraints.add(new Fence(vm, pinned));
      }
      if (told.get("groups") != null)
        for (Object name : (JSONArray) told.get("groups"))
          groups.computeIfAbsent((String) name, key -> new HashSet<>()).add(vm);
    }
    // Not continuous: a continuous one refuses a start that breaks it already.
    for (Set<VM> members : groups.values()) if (members.size() > 1) constraints.add(new Spread(members, false));
    model.attach(memory);
    model.attach(cpu);
    DefaultChocoScheduler scheduler = new DefaultChocoScheduler();
    scheduler.doRepair(true);
    scheduler.setTimeLimit(Integer.parseInt(args[1]));
    scheduler.setMaxEnd(100_000);
    final long rate = speed;
    scheduler.getDurationEvaluators().register(MigrateVM.class, new ActionDurationEvaluator<VM>() {
      public int evaluate(Model any, VM vm) {
        return Math.max(1, (int) Math.ceil(sizes.get(vm) / (double) rate));
      }
    });
    ReconfigurationPlan plan = null;
    String failure = "no plan in time";
    try {
      plan = scheduler.solve(new Instance(model, constraints, new MinMTTR()));
    } catch (Exception problem) {
      failure = problem.getClass().getSimpleName();
    }
    long moves = 0;
    long mib = 0;
    if (plan != null)
      for (Action action : plan)
        if (action instanceof MigrateVM) {
          moves++;
          mib += sizes.get(((MigrateVM) action).getVM());
        }
    JSONObject said = new JSONObject();
    said.put("status", plan == null ? failure : "plan");
    said.put("moves", moves);
    said.put("mib", mib);
    com.sun.management.OperatingSystemMXBean system =
        (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    said.put("cpuMs", system.getProcessCpuTime() / 1_000_000);
    System.out.println(said.toJSONString());
    System.exit(0);
  }

  private static int number(JSONObject told, String key) {
    return ((Number) told.get(key)).intValue();
  }
}
