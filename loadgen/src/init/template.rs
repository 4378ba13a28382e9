//! Go templates as kube-burner renders them, and the functions that its templates use.
//!
//! kube-burner offers all of sprig. Here are the functions that its own workloads and
//! documentation use; a template that calls another one is refused when it is read, by the
//! function's name. Random functions draw from a seeded generator, so a run can be repeated.

mod funcs;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use gotmpl::{MissingKey, Template, Value};
use rand_pcg::Pcg64Mcg;
use serde_json::Value as Json;

/// Renders templates; one for a run.
#[derive(Clone)]
pub(super) struct Renderer {
    functions: gotmpl::FuncMap,
    shared_files: Vec<(PathBuf, String)>,
}

/// A template that was read and can be rendered.
pub(super) struct Ready {
    template: Template,
    /// The text as it stands in the file.
    pub(super) source: String,
}

/// The variables of one rendering.
pub(super) type Variables = BTreeMap<String, Json>;

impl Renderer {
    /// A renderer whose random functions follow `seed`.
    pub(super) fn new(seed: u64) -> Self {
        let random = Arc::new(Mutex::new(Pcg64Mcg::new(u128::from(seed))));
        Self { functions: funcs::all(&random), shared_files: Vec::new() }
    }

    /// Adds the files of `functionTemplates`.
    pub(super) fn share(&mut self, folder: &Path, files: &[String]) -> Result<(), String> {
        for file in files {
            let path = folder.join(file);
            let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            self.shared_files.push((path, text));
        }
        Ok(())
    }

    /// Reads a template; `strict` makes an unknown variable an error.
    pub(super) fn read(&self, source: &str, strict: bool) -> Result<Ready, String> {
        let missing = if strict { MissingKey::Error } else { MissingKey::ZeroValue };
        let mut template = Template::new("")
            .funcs(self.functions.clone())
            .missing_key(missing)
            .parse(source)
            .map_err(|e| e.to_string())?;
        for (path, text) in &self.shared_files {
            template = template
                .parse_define(path, text)
                .map_err(|e| format!("{}: {e}", path.display()))?;
        }
        Ok(Ready { template, source: source.to_owned() })
    }
}

/// Adds the definitions of another file without replacing the template itself.
trait ParseDefine: Sized {
    fn parse_define(self, path: &Path, text: &str) -> gotmpl::Result<Self>;
}

impl ParseDefine for Template {
    fn parse_define(self, path: &Path, text: &str) -> gotmpl::Result<Self> {
        // As Go's `ParseFiles`, which names what stands outside of definitions after the file.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.parse(&format!("{{{{define {name:?}}}}}{{{{end}}}}{text}"))
    }
}

impl Ready {
    pub(super) fn render(&self, variables: &Variables) -> Result<String, String> {
        let data = Value::Map(Arc::new(
            variables
                .iter()
                .map(|(name, value)| (name.as_str().into(), from_json(value)))
                .collect(),
        ));
        self.template.execute_to_string(&data).map_err(|e| e.to_string())
    }
}

/// The template without what stands in double braces, so that it can be read as YAML before any
/// variable is known. As kube-burner does it: per line, from the first `{{` to the last `}}`.
pub(super) fn without_actions(source: &str) -> String {
    let clean = |line: &str| match (line.find("{{"), line.rfind("}}")) {
        (Some(start), Some(end)) if start < end => {
            format!("{}{}", &line[..start], &line[end + 2..])
        }
        _ => line.to_owned(),
    };
    source.lines().map(|line| clean(line) + "\n").collect()
}

fn from_json(value: &Json) -> Value {
    match value {
        Json::Null => Value::Nil,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(i), _) => Value::Int(i),
            (None, Some(f)) => Value::Float(f),
            (None, None) => Value::Nil,
        },
        Json::String(s) => Value::String(s.as_str().into()),
        Json::Array(list) => Value::List(list.iter().map(from_json).collect()),
        Json::Object(map) => Value::Map(Arc::new(
            map.iter().map(|(k, v)| (k.as_str().into(), from_json(v))).collect(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn variables(pairs: Json) -> Variables {
        pairs.as_object().unwrap().clone().into_iter().collect()
    }

    fn render(source: &str, pairs: Json) -> Result<String, String> {
        Renderer::new(1).read(source, true)?.render(&variables(pairs))
    }

    #[test]
    fn the_scenarios_templates_render() {
        let folder = format!("{}/../fixtures/scenarios", env!("CARGO_MANIFEST_DIR"));
        for (file, part) in [
            ("s1/s1-deployment.yaml", "name: deployment-7-2"),
            ("s2/s1-deployment.yaml", "app: test-7-2"),
            ("s3/deployment.yaml", "instance: \"7\""),
            ("s3/configmap.yaml", "key: \"value-7\""),
            ("s3/secret.yaml", "username: \"user-7\""),
            ("s3/service.yaml", "name: svc-7"),
            ("s3/deployment_patch_add_label.yaml", "patched-smp-7: \"iteration-7\""),
            ("s3/deployment_patch_add_pod_2.yaml", "memory: 8M"),
        ] {
            let source = fs::read_to_string(format!("{folder}/{file}")).unwrap();
            let text = render(&source, json!({"Iteration": 7, "Replica": 2})).unwrap();
            assert!(text.contains(part), "{file}: {text}");
            assert!(!text.contains("{{"), "{file}");
            let object: Json = serde_saphyr::from_str(&text).unwrap();
            assert!(object["kind"].is_string(), "{file}");
            let bare: Json = serde_saphyr::from_str(&without_actions(&source)).unwrap();
            assert_eq!(bare["kind"], object["kind"], "{file}");
        }
    }

    #[test]
    fn variables_come_from_the_job_and_from_the_input() {
        let text = render(
            "{{.JobName}}/{{.UUID}} {{range .list}}[{{.}}]{{end}} {{if .on}}on{{end}} {{.map.a}}",
            json!({"JobName": "j", "UUID": "u", "list": [1, 2], "on": true, "map": {"a": 1.5}}),
        );
        assert_eq!(text.unwrap(), "j/u [1][2] on 1.5");
    }

    #[test]
    fn an_unknown_variable_or_function_is_an_error_that_names_it() {
        assert!(render("{{.Nope}}", json!({})).unwrap_err().contains("Nope"));
        assert!(render("{{nope 1}}", json!({})).unwrap_err().contains("nope"));
        assert!(render("{{.a", json!({})).is_err());
        let lenient = Renderer::new(1).read("a{{.Nope}}", false).unwrap();
        assert!(lenient.render(&Variables::new()).is_ok());
    }

    #[test]
    fn the_functions_do_what_sprig_says() {
        for (source, want) in [
            ("{{add 1 .n 3}}", "9"),
            ("{{add1 .n}}", "6"),
            ("{{sub 7 .n}}", "2"),
            ("{{mul .n 2 3}}", "30"),
            ("{{div 7 2}} {{mod 7 2}}", "3 1"),
            ("{{max 1 .n 3}} {{min 4 .n 3}}", "5 3"),
            ("{{\"a\" | upper | quote}}", "\"A\""),
            ("{{default \"x\" .empty}} {{default \"x\" .n}}", "x 5"),
            ("{{ternary \"a\" \"b\" true}}", "a"),
            ("{{range until 3}}{{.}},{{end}}", "0,1,2,"),
            ("{{range untilStep 3 9 3}}{{.}},{{end}}", "3,6,"),
            ("{{seq 1 3}}", "1 2 3"),
            ("{{repeat 3 \"ab\"}}", "ababab"),
            ("{{replace \"a\" \"b\" \"banana\"}}", "bbnbnb"),
            ("{{trim \" x \"}}{{trunc 2 \"abc\"}}", "xab"),
            ("{{join \"-\" (list 1 2 \"c\")}}", "1-2-c"),
            ("{{contains \"b\" \"abc\"}} {{hasPrefix \"a\" \"abc\"}}", "true true"),
            ("{{b64enc \"hi\"}} {{b64dec \"aGk=\"}}", "aGk= hi"),
            ("{{indent 2 \"a\\nb\"}}", "  a\n  b"),
            ("{{toJson .list}}", "[1,2]"),
            ("{{int \"12\"}} {{toString 4}} {{atoi \"3\"}}", "12 4 3"),
            ("{{splitList \",\" \"a,b\" | last}} {{first .list}}", "b 1"),
            ("{{sha256sum \"\" | trunc 8}}", "e3b0c442"),
            ("{{GetSubnet24 1}}", "1.0.1.0/24"),
            ("{{printf \"%03d\" .n}}", "005"),
        ] {
            let text = render(source, json!({"n": 5, "empty": "", "list": [1, 2]}));
            let text = text.unwrap_or_else(|e| panic!("{source}: {e}"));
            assert_eq!(text, want, "{source}");
        }
    }

    #[test]
    fn wrong_arguments_are_errors_and_never_panics() {
        for source in [
            "{{div 1 0}}",
            "{{mod 1 0}}",
            "{{add}}{{add \"x\"}}",
            "{{until 100000000}}",
            "{{repeat 100000000 \"abc\"}}",
            "{{randInt 5 5}}",
            "{{b64dec \"*\"}}",
            "{{randAlphaNum -1}}",
            "{{upper}}",
        ] {
            assert!(render(source, json!({})).is_err(), "{source}");
        }
    }

    #[test]
    fn random_functions_follow_the_seed() {
        let source = "{{randAlphaNum 8}} {{randInt 10 20}} {{randNumeric 3}} {{uuidv4}}";
        let once = render(source, json!({})).unwrap();
        assert_eq!(once, render(source, json!({})).unwrap());
        let parts: Vec<_> = once.split(' ').collect();
        assert_eq!((parts[0].len(), parts[2].len(), parts[3].len()), (8, 3, 36));
        assert!((10..20).contains(&parts[1].parse::<i32>().unwrap()));
        let other = Renderer::new(2).read(source, true).unwrap();
        assert_ne!(once, other.render(&Variables::new()).unwrap());
    }

    #[test]
    fn actions_are_taken_out_line_by_line() {
        assert_eq!(without_actions("a: x-{{.A}}-{{.B}}-y\n{{if .C}}\nb: 1\n"), "a: x--y\n\nb: 1\n");
    }
}
