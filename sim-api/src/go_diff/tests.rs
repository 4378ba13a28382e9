use serde_json::json;

use super::diff;
use crate::go_syntax::internal_form;

fn spaced(text: &str) -> String {
    text.replace('\u{a0}', " ")
}

#[test]
fn a_pods_command_is_shown_as_recorded() {
    let pod = |command: serde_json::Value| {
        let spec = json!({
            "containers": [{"name": "c", "image": "nginx", "command": command,
                "terminationMessagePath": "/dev/termination-log", "imagePullPolicy": "Always"}],
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst", "securityContext": {},
        });
        internal_form("core.PodSpec", &spec).unwrap()
    };
    let expected = "  core.PodSpec{\n  \tVolumes:        nil,\n  \tInitContainers: nil,\n  \t\
        Containers: []core.Container{\n  \t\t{\n  \t\t\tName:       \"c\",\n  \t\t\tImage:      \
        \"nginx\",\n- \t\t\tCommand:    nil,\n+ \t\t\tCommand:    []string{\"x\"},\n  \t\t\t\
        Args:       nil,\n  \t\t\tWorkingDir: \"\",\n  \t\t\t... // 19 identical fields\n  \
        \t\t},\n  \t},\n  \tEphemeralContainers: nil,\n  \tRestartPolicy:       \"Always\",\n  \
        \t... // 29 identical fields\n  }\n";
    let found = diff("core.PodSpec", &pod(json!(null)), &pod(json!(["x"])));
    assert_eq!(spaced(&found), expected);
    assert_eq!(diff("core.PodSpec", &pod(json!(null)), &pod(json!(null))), "");
}

#[test]
fn amounts_print_as_structs_in_go() {
    let claim = |size: &str| {
        json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}},
            "volumeMode": "Filesystem"})
    };
    let found = diff("core.PersistentVolumeClaimSpec", &claim("1Gi"), &claim("2Gi"));
    let expected = "Limits: nil,\n- \t\tRequests: core.ResourceList{\n- \t\t\ts\"storage\": {i: \
        resource.int64Amount{value: 1073741824}, s: \"1Gi\", Format: \"BinarySI\"},\n- \t\t},\n\
        + \t\tRequests: core.ResourceList{\n+ \t\t\ts\"storage\": {i: resource.int64Amount{value: \
        2147483648}, s: \"2Gi\", Format: \"BinarySI\"},\n+ \t\t},\n";
    assert!(spaced(&found).contains(expected), "{found}");
}
